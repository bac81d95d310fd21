"""Short videos of the worst test clips, with the model's frames, the true class and the prediction."""

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing, as_colours
from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UserError
from tt_actions.evaluation.predictions import Predictions
from tt_actions.evaluation.style import COLOURS, FONTS, shortened
from tt_actions.skeleton.drawing import draw_joints
from tt_actions.skeleton.layouts import find_layout
from tt_actions.video.decoder import VideoWarning
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import probe
from tt_actions.video.types import Image

MAX_SIZE = (480, 360)
"""Maximum width and height of a frame in pixels, without its caption."""

MAX_LENGTH_S = 10.0
_CAPTION_HEIGHT = 66
_DPI = 100


class WorstClip(NamedTuple):
    """A video of a clip.

    Args:
        path: The video.
        title: The true and the predicted class of the clip with their probabilities.
        name: Name of the clip.
    """

    path: Path
    title: str
    name: str

    @property
    def caption(self) -> str:
        """The title and the name."""
        return f"{self.title} ({self.name})"


def write_worst_clips(
    folder: Path,
    predictions: Predictions,
    records: Mapping[str, ClipRecord],
    preprocessing: Preprocessing | JointPreprocessing,
    num_clips: int = 4,
    cache: FrameCache | None = None,
) -> list[WorstClip]:
    """Write videos of the clips with the lowest probability of the true class, classified correctly or not.

    They show what the network reads, with its frame rate, region and crop, but enlarged for people. Of a
    longer clip, they show the first ten seconds. Clips that can't be shown are reported and skipped.

    Args:
        folder: Folder for the videos ``<rank>_<clip>.mp4``; videos of an earlier test are removed.
        predictions: Predictions for all test clips.
        records: The clips by name.
        preprocessing: Preprocessing of the network's training.
        num_clips: Number of videos.
        cache: Where the joints of the clips are; without it, they are found again.

    Returns:
        The videos, the worst first.

    Warns:
        VideoWarning: If a clip can't be read, or a video can't be written.
    """
    worst = []
    for rank, clip in enumerate(predictions.worst[:num_clips], 1):
        record = records[predictions.names[clip]]
        path = folder / f"{rank}_{_file_name(record)}.mp4"
        label, predicted = predictions.labels[clip], predictions.predicted[clip]
        names, probabilities = predictions.class_names, predictions.probabilities[clip]
        lines = [
            f"{title} {shortened(names[index])} {probabilities[index]:.2f}"
            for title, index in (("true:", label), ("predicted:", predicted))
        ]
        try:
            images = _iter_frames(record, preprocessing, cache)
            caption = draw_caption([*lines, record.path.name], is_correct=label == predicted)
            images = (_with_caption(image, caption) for image in images)
            write_video(path, images, preprocessing.fps)
        except (UserError, OSError) as error:
            warnings.warn(
                f"Skipping the video of the test clip '{record.name}': {error}",
                VideoWarning,
                stacklevel=2,
            )
        else:
            worst.append(WorstClip(path, ", ".join(lines), record.name))
    for old in set(folder.glob("*.mp4")) - {clip.path for clip in worst}:
        old.unlink()
    return worst


def _file_name(record: ClipRecord) -> str:
    start = f"_{record.start_s:.2f}s" if record.start_s or record.end_s is not None else ""
    return re.sub(r"[^\w.-]+", "_", record.path.stem)[:50] + start


def _iter_frames(
    record: ClipRecord, preprocessing: Preprocessing | JointPreprocessing, cache: FrameCache | None
) -> Iterator[Image]:
    max_frames = max(1, round(MAX_LENGTH_S * preprocessing.fps))
    if isinstance(preprocessing, JointPreprocessing):
        if cache is None:
            joints = preprocessing.read(record.path, record.start_s, record.end_s, record.roi).values
        else:
            joints = cache.frames(record, preprocessing.spec)
        if record.hand == "left":
            joints = preprocessing.to_right_handed(joints)
        layout = find_layout(preprocessing.layout)
        yield from draw_joints(joints[:max_frames], layout, (MAX_SIZE[1], MAX_SIZE[0]))
        return
    if preprocessing.num_channels == 1:
        yield from _grey_frames(record, preprocessing)[:max_frames]
        return
    roi = record.roi or preprocessing.roi
    if preprocessing.crop == "motion":
        height, width = preprocessing.size
    elif roi is not None:
        width, height = roi[2] - roi[0], roi[3] - roi[1]
    else:
        video = probe(record.path)
        width, height = video.width, video.height
    scale = min(MAX_SIZE[0] / width, MAX_SIZE[1] / height)
    frames = iter_frames(
        record.path,
        fps=preprocessing.fps,
        start_s=record.start_s,
        end_s=record.end_s,
        size=(max(1, round(scale * height)), max(1, round(scale * width))),
        roi=roi,
        crop=preprocessing.crop,
    )
    for _, image in islice(frames, max_frames):
        yield image


def _grey_frames(record: ClipRecord, preprocessing: Preprocessing) -> np.ndarray:
    height, width = preprocessing.size
    scale = min(MAX_SIZE[0] / width, MAX_SIZE[1] / height)
    spec = replace(preprocessing.spec, size=(round(scale * height), round(scale * width)))
    return as_colours(spec.read(record.path, record.start_s, record.end_s, record.roi).values)


def _with_caption(image: Image, caption: Image) -> Image:
    side = MAX_SIZE[0] - image.shape[1]
    centred = cv2.copyMakeBorder(image, 0, 0, side // 2, side - side // 2, cv2.BORDER_CONSTANT)
    return np.concatenate([centred, caption])


def draw_caption(lines: list[str], is_correct: bool) -> Image:
    """Draw the caption of a clip, in any language for which a font is installed.

    Args:
        lines: Three lines: the true class, the predicted class and the file.
        is_correct: Whether the two classes are the same.

    Shape:
        ``(H, W, 3)``, uint8 RGB, as wide as a video.
    """
    size = (MAX_SIZE[0] / _DPI, _CAPTION_HEIGHT / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, facecolor="#202020")
    colours = COLOURS[4], COLOURS[4] if is_correct else COLOURS[1], "#A0A0A0"
    positions = ((0.70, 10), (0.40, 10), (0.12, 7))
    for line, colour, (y, points) in zip(lines, colours, positions, strict=True):
        text = line if len(line) <= 80 else f"…{line[-79:]}"
        figure.text(0.02, y, text, color=colour, fontsize=points, fontfamily=FONTS, parse_math=False)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # one warning per letter
        canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
