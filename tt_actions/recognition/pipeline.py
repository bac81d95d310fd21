"""From a video to its strokes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tt_actions.clips.specs import iter_tracks
from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TYPICAL_CLIP
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.players import PlayerTrack, lay_tracks
from tt_actions.recognition.segmenter import make_segmenter, stroke_timing
from tt_actions.recognition.stream import (
    CausalStream,
    FrameStream,
    WindowStream,
    append_block,
    gather_stretches,
    read_ahead,
)
from tt_actions.video.info import probe
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

STRETCH = 32
"""Frames that go through the network at once."""

AHEAD = 4
"""Stretches that may be decoded ahead of the network."""


MOST_TIMES_LONGER = 2.5
"""How much longer than in the training half of the strokes may last."""


def open_stream(model: "Recognizer") -> FrameStream:
    """Choose how a model is shown a video.

    A causal model that knows idle time carries its state through the video. Others are shown windows: of
    the length that they were trained on, or of that of their training clips.

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
    model: "Recognizer", video: Path, players: Sequence[str], rois: Sequence[Roi]
) -> tuple[PlayerTrack, ...]:
    """Lay out the players' parts of a video; without regions that of the model's training, if it had one.

    Args:
        model: The trained model.
        video: The video file.
        players: Names of the players: see :func:`lay_tracks`.
        rois: Their regions.

    Raises:
        VideoError: If the video can't be read.
        ValueError: If names and regions don't go together, or the model reads something else than a video.
    """
    own = model.video_preprocessing.roi
    info = probe(video)
    return lay_tracks(players, rois or ([own] if own else []), info.width, info.height)


def analyze_video(
    model: "Recognizer",
    video: Path | str,
    players: Sequence[str] = (),
    rois: Sequence[Roi] = (),
    crop: Crop | None = None,
    on_progress: Callable[[float], object] | None = None,
) -> MatchAnalysis:
    """Find the strokes in a video of any length.

    Decoding and preprocessing run in a thread of their own, some frames ahead of the network.

    Args:
        model: The trained model, in eval mode.
        video: The video file.
        players: Names of the players, in the order of ``rois`` or from left to right; empty for one.
        rois: Regions (x0, y0, x1, y1) in pixels: of each player, or one that the players share, or none.
        crop: ``motion`` follows the player in each region; None for what the model was trained with.
        on_progress: Called with the seconds of the video that are done.

    Returns:
        The strokes of all players, and the probabilities of all frames.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the model was trained on regions, and none, no players and no ``crop`` are given.
        ValueError: If names and regions don't go together.
    """
    video = Path(video)
    tracks = find_tracks(model, video, players, rois)
    if not players:  # which share the picture out
        model.check_region(tracks[0].roi, crop)
    spec = replace(model.video_preprocessing.spec, crop=crop or model.video_preprocessing.crop)
    stream, segmenter = open_stream(model), make_segmenter(model)
    frames = iter_tracks(video, spec, [track.roi for track in tracks])
    times_s: list[np.ndarray] = []
    told: list[np.ndarray] = []
    for stretch in read_ahead(gather_stretches(frames, STRETCH), AHEAD):
        append_block(told, stream.push(stretch.frames).numpy(), axis=1)
        append_block(times_s, stretch.times_s)
        if on_progress is not None:
            on_progress(float(stretch.times_s[-1]))
    append_block(told, stream.finish().numpy(), axis=1)
    log_probs, shown_s = np.concatenate(told, 1), np.concatenate(times_s)  # (P, T, K), (T,)
    strokes = [
        replace(stroke, player=track.name)
        for track, of_track in zip(tracks, log_probs, strict=True)
        for stroke in segmenter.segment(of_track, shown_s)
    ]
    names = segmenter.timing.class_names
    shown, ends_s = float(shown_s[-1]), probe(video).duration_s
    remark = remark_on_lengths(strokes, stroke_timing(model))
    return MatchAnalysis(
        video=video,
        duration_s=ends_s if shown < ends_s < shown + 1 / spec.fps else shown + 1 / spec.fps,
        class_names=tuple(name for name in names if name != IDLE),
        players=tuple(track.name for track in tracks),
        strokes=tuple(sorted(strokes, key=lambda stroke: stroke.start_s)),
        frame_classes=names,
        times_s=shown_s,
        probabilities=segmenter.frame_probabilities(log_probs).astype(np.float32),
        remarks=() if remark is None else (remark,),
    )


def remark_on_lengths(strokes: Sequence[Stroke], timing: StrokeTiming) -> str | None:
    """Say so where strokes are much longer than the training's: the model does not know such a picture.

    Args:
        strokes: What was found.
        timing: Counts of the training set.

    >>> from tt_actions.clips.timing import default_timing
    >>> timing = default_timing(["forehand", "idle"], 10)
    >>> remark_on_lengths([Stroke("forehand", 0, 1.2)], timing) is None
    True
    >>> print(remark_on_lengths([Stroke("forehand", 0, 6)], timing))
    Strokes last 6.0 s here and 0.9 s where the model was trained: it may not know such a picture. ...
    """
    if not strokes:
        return None
    found_s = float(np.median([stroke.end_s - stroke.start_s for stroke in strokes]))
    is_stroke = np.array([name != IDLE for name in timing.class_names])
    learnt_s = float(np.average(timing.mean_frames[is_stroke])) / timing.fps
    if found_s <= MOST_TIMES_LONGER * learnt_s:
        return None
    return (
        f"Strokes last {found_s:.1f} s here and {learnt_s:.1f} s where the model was trained: it may not "
        "know such a picture. Give each player a region as in the training, or train on recordings of yours."
    )
