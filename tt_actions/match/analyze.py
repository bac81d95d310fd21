"""From a video to its strokes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tt_actions.classes import IDLE
from tt_actions.match.analysis import MatchAnalysis
from tt_actions.match.players import PlayerTrack, lay_tracks
from tt_actions.match.segmenters import make_segmenter
from tt_actions.match.stream import CausalStream, FrameStream, WindowStream, gather_stretches, read_ahead
from tt_actions.models.base import CausalModel
from tt_actions.models.crf import network_of_frames
from tt_actions.task import StrokeRecognizer
from tt_actions.typical import TYPICAL_CLIP
from tt_actions.video import Crop, Roi, iter_tracks, probe

STRETCH = 32
"""Frames that go through the network at once."""

AHEAD = 4
"""Stretches that may be decoded ahead of the network."""


def open_stream(model: StrokeRecognizer) -> FrameStream:
    """Choose how a model is shown a video.

    A causal model that knows idle time carries its state through the video. Others are shown windows: of
    the length that they were trained on, or of that of their training clips.

    Args:
        model: The trained model, in eval mode.
    """
    if model.is_untrimmed and isinstance(network_of_frames(model.network), CausalModel):
        return CausalStream(model)
    window = model.preprocessing.num_frames
    if not model.is_untrimmed:
        window = max(1, round((model.typical_clip or TYPICAL_CLIP).seconds * model.preprocessing.fps))
    return WindowStream(model, window, max(1, window // 4))


def find_tracks(
    model: StrokeRecognizer, video: Path, players: Sequence[str], rois: Sequence[Roi]
) -> tuple[PlayerTrack, ...]:
    """Lay out the players' parts of a video; without regions that of the model's training, if it had one.

    Args:
        model: The trained model.
        video: The video file.
        players: Names of the players: see :func:`lay_tracks`.
        rois: Their regions.

    Raises:
        VideoError: If the video can't be read.
        ValueError: If names and regions don't go together.
    """
    own = model.preprocessing.roi
    info = probe(video)
    return lay_tracks(players, rois or ([own] if own else []), info.width, info.height)


def analyze_video(
    model: StrokeRecognizer,
    video: Path,
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
        ValueError: If names and regions don't go together.
    """
    video = Path(video)
    tracks = find_tracks(model, video, players, rois)
    spec = replace(model.preprocessing.frame_spec, crop=crop or model.preprocessing.crop)
    stream, segmenter = open_stream(model), make_segmenter(model)
    frames = iter_tracks(video, spec, [track.roi for track in tracks])
    times_s, told = [], []
    for stretch in read_ahead(gather_stretches(frames, STRETCH), AHEAD):
        told.append(stream.push(stretch.frames).numpy())
        times_s.append(stretch.times_s)
        if on_progress is not None:
            on_progress(float(stretch.times_s[-1]))
    told.append(stream.finish().numpy())
    log_probs, shown_s = np.concatenate(told, 1), np.concatenate(times_s)  # (P, T, K), (T,)
    strokes = [
        replace(stroke, player=track.name)
        for track, of_track in zip(tracks, log_probs, strict=True)
        for stroke in segmenter.segment(of_track, shown_s)
    ]
    names = segmenter.timing.class_names
    return MatchAnalysis(
        video=video,
        duration_s=float(shown_s[-1]) + 1 / spec.fps,
        class_names=tuple(name for name in names if name != IDLE),
        players=tuple(track.name for track in tracks),
        strokes=tuple(sorted(strokes, key=lambda stroke: stroke.start_s)),
        frame_classes=names,
        times_s=shown_s,
        probabilities=segmenter.frame_probabilities(log_probs).astype(np.float32),
    )
