"""Finding the strokes in a video."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.specs import iter_tracks
from tt_actions.clips.strokes import Stroke, is_stroke
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TYPICAL_CLIP
from tt_actions.errors import UserError
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.frame_remarks import remark_on_confidence, remark_on_frames
from tt_actions.recognition.joint_pipeline import analyze_joints
from tt_actions.recognition.players import PlayerTrack, lay_tracks
from tt_actions.recognition.progress import show_progress
from tt_actions.recognition.segmenter import make_segmenter, stroke_timing
from tt_actions.recognition.stream import (
    MIN_RATIO_TO_CHANCE,
    CausalStream,
    FrameStream,
    WindowStream,
    append_block,
    gather_stretches,
)
from tt_actions.recognition.unnamed import analyze_unnamed
from tt_actions.video.ahead import read_ahead
from tt_actions.video.info import probe
from tt_actions.video.regions import Crop
from tt_actions.video.types import Image, Roi

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

STRETCH = 32
"""Number of frames per call of the network."""

MAX_QUEUED = 4
"""Number of stretches that may be decoded ahead of the network."""

MAX_DURATION_RATIO = 2.5
"""Maximum ratio of the median stroke duration to the mean of the training, above which a remark is made."""


def open_stream(model: "Recognizer") -> FrameStream:
    """Choose how a model reads a video: frame by frame, or in windows.

    A causal model that was trained with idle time carries its state through the video. Other models read
    windows, as long as the windows of their training or as their training clips.

    Args:
        model: The trained model, in eval mode.
    """
    if model.is_untrimmed and model.network.frame_network.is_causal:
        return CausalStream(model)
    window = model.frame_preprocessing.num_frames
    if not model.is_untrimmed:
        window = max(1, round((model.typical_clip or TYPICAL_CLIP).seconds * model.frame_preprocessing.fps))
    return WindowStream(model, window, max(1, window // 4))


def find_tracks(
    model: "Recognizer | None", video: Path, players: Sequence[str], rois: Sequence[Roi]
) -> tuple[PlayerTrack, ...]:
    """Return the name and region of each player in a video.

    Without ``rois``, the players share the region of the model's training, if it had one.

    Args:
        model: The trained model.
        video: The video file.
        players: Names of the players: see :func:`lay_tracks`.
        rois: Their regions.

    Raises:
        VideoError: If the video can't be read.
        ValueError: If names and regions don't match, or the model reads something other than a video.
    """
    own = None
    if model is not None:
        is_joints = isinstance(model.preprocessing, JointPreprocessing)
        own = model.preprocessing.roi if is_joints else model.video_preprocessing.roi
    info = probe(video)
    return lay_tracks(players, rois if len(rois) else [own] if own else [], info.width, info.height)


def analyze_video(
    model: "Recognizer | None",
    video: Path | str,
    players: Sequence[str] = (),
    rois: Sequence[Roi] = (),
    crop: Crop | None = None,
    on_progress: Callable[[float], object] | None = None,
    pose: str | None = None,
) -> MatchAnalysis:
    """Find the strokes in a video of any length.

    A separate thread decodes and preprocesses the video, some frames ahead of the network.

    Args:
        model: The trained model, in eval mode. None groups strokes that look alike instead of naming them:
            see :func:`tt_actions.recognition.unnamed.analyze_unnamed`.
        video: The video file.
        players: Names of the players, in the order of ``rois`` or from left to right; empty for one player.
        rois: Regions (x0, y0, x1, y1) in pixels: one per player, one that the players share, or none.
        crop: ``motion`` follows the player in each region; None for the setting of the training.
        on_progress: Called with the number of seconds of the video that are processed; None for a progress
            bar in a terminal or a notebook.
        pose: The model that finds joints if there is no ``model``, which has its own; None for the built-in
            one.

    Returns:
        The strokes of all players, and the probabilities of all frames.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the model was trained on regions, but no region, player or ``crop`` is given; if
            ``crop`` is given without a model, or ``pose`` with one.
        ValueError: If names and regions don't match.
    """
    video = Path(video)
    tracks = find_tracks(model, video, players, rois)
    if on_progress is None:
        with show_progress("finding strokes", probe(video).duration_s, "s") as shown:
            return analyze_video(model, video, players, rois, crop, shown, pose)
    if model is None:
        if crop is not None:
            raise UserError(f"Expected no `crop` without a model, but got '{crop}'. Omit it, or use a model.")
        return analyze_unnamed(video, tracks, pose, on_progress)
    if pose is not None:
        raise UserError(f"Expected no `pose` with a model, but got '{pose}'. Pass it to `load` instead.")
    model.check_crop(crop)
    if not players:  # named players divide the frame among them
        model.check_region(tracks[0].roi, crop)
    if isinstance(model.preprocessing, JointPreprocessing):
        analysis = analyze_joints(model, video, tracks, on_progress)
    else:
        analysis = _analyze_frames(model, video, tracks, crop, on_progress)
    doubt = remark_on_confidence(analysis.strokes)
    return analysis if doubt is None else replace(analysis, remarks=(*analysis.remarks, doubt))


def _analyze_frames(
    model: "Recognizer",
    video: Path,
    tracks: Sequence[PlayerTrack],
    crop: Crop | None,
    on_progress: Callable[[float], object] | None,
) -> MatchAnalysis:
    spec = replace(model.video_preprocessing.spec, crop=crop or model.video_preprocessing.crop)
    stream, segmenter = open_stream(model), make_segmenter(model)
    frames = iter_tracks(video, spec, [track.roi for track in tracks])
    log_probs, shown_s = _predict(stream, frames, on_progress)
    strokes = [
        replace(stroke, player=track.name)
        for track, of_track in zip(tracks, log_probs, strict=True)
        for stroke in segmenter.segment(of_track, shown_s)
    ]
    names = segmenter.timing.class_names
    shown, ends_s = float(shown_s[-1]), probe(video).duration_s
    probabilities = segmenter.frame_probabilities(log_probs).astype(np.float32)
    least = MIN_RATIO_TO_CHANCE / len(model.class_names)
    track_names = tuple(track.name for track in tracks)
    return MatchAnalysis(
        video=video,
        duration_s=ends_s if shown < ends_s < shown + 1 / spec.fps else shown + 1 / spec.fps,
        class_names=tuple(filter(is_stroke, names)),
        players=track_names,
        strokes=tuple(sorted(strokes, key=lambda stroke: stroke.start_s)),
        frame_classes=names,
        times_s=shown_s,
        probabilities=probabilities,
        remarks=(
            *filter(None, [remark_on_lengths(strokes, stroke_timing(model))]),
            *remark_on_frames(track_names, strokes, names, probabilities, stream.gate, least),
        ),
        rois=tuple(track.roi for track in tracks),
    )


def _predict(
    stream: FrameStream,
    frames: Iterable[tuple[float, tuple[Image, ...]]],
    on_progress: Callable[[float], object] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-probabilities of all frames ``(P, T, K)``, and when each is shown ``(T,)``."""
    times_s: list[np.ndarray] = []
    log_probs: list[np.ndarray] = []
    for stretch in read_ahead(gather_stretches(frames, STRETCH), MAX_QUEUED):
        append_block(log_probs, stream.push(stretch.frames).numpy(), axis=1)
        append_block(times_s, stretch.times_s)
        if on_progress is not None:
            on_progress(float(stretch.times_s[-1]))
    append_block(log_probs, stream.finish().numpy(), axis=1)
    return np.concatenate(log_probs, 1), np.concatenate(times_s)


def remark_on_lengths(strokes: Sequence[Stroke], timing: StrokeTiming) -> str | None:
    """Return a remark if strokes are much longer than in training, which suggests an unsuitable video.

    Args:
        strokes: The strokes found in the video.
        timing: Statistics of the training set.

    >>> from tt_actions.clips.timing import default_timing
    >>> timing = default_timing(["forehand", "idle"], 10)
    >>> remark_on_lengths([Stroke("forehand", 0, 1.2)], timing) is None
    True
    >>> print(remark_on_lengths([Stroke("forehand", 0, 6)], timing))
    Strokes last 6.0 s in this video but 0.9 s in the training data, so the model may not suit ...
    """
    if not strokes:
        return None
    median_s = float(np.median([stroke.end_s - stroke.start_s for stroke in strokes]))
    is_counted = np.array([is_stroke(name) for name in timing.class_names])
    training_mean_s = float(np.average(timing.mean_frames[is_counted])) / timing.fps
    if median_s <= MAX_DURATION_RATIO * training_mean_s:
        return None
    return (
        f"Strokes last {median_s:.1f} s in this video but {training_mean_s:.1f} s in the training data, so "
        "the model may not suit this kind of video. Give each player a region as in training, or train on "
        "your own recordings."
    )
