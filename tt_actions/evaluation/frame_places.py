"""Where a network's input lies on the whole frames of a video, and heat maps on these frames."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.video.depth import quantise
from tt_actions.video.depth_files import find_depth, is_depth, open_depth
from tt_actions.video.following import Window, follow_player
from tt_actions.video.regions import read_tracks
from tt_actions.video.scaling import fit_size
from tt_actions.video.types import Image, Roi


class Place(NamedTuple):
    """Where the input lies on a frame, in pixels of the upright frame.

    Args:
        box: Left, top, right and bottom edge of the input. Black bars and the repeated edge pixels of a
            window reach out of the region.
        region: The part of the frame from which the input is cut.
    """

    box: tuple[float, float, float, float]
    region: Roi

    def is_seen(self, size: tuple[int, int]) -> np.ndarray:
        """Return which cells of a grid over the input show any part of the frame.

        Args:
            size: Rows and columns of the grid.

        Shape:
            ``size``, bool.

        >>> Place((0, -2, 4, 6), (0, 0, 4, 4)).is_seen((4, 1)).ravel().tolist()
        [False, True, True, False]
        """
        x0, y0, x1, y1 = self.box
        rows = _overlaps(np.linspace(y0, y1, size[0] + 1), *self.region[1::2])
        columns = _overlaps(np.linspace(x0, x1, size[1] + 1), *self.region[::2])
        return np.asarray(rows[:, None] & columns)

    def spread(self, heat: np.ndarray, size: tuple[int, int], shrink: float = 1.0) -> np.ndarray:
        """Interpolate a heat map smoothly over the frame; outside of what the input shows, it is 0.

        Args:
            heat: Heat map over the input, with values from 0 to 1.
            size: Height and width of the frame, or of a smaller picture of it.
            shrink: Size of this picture, divided by that of the frame.

        Shape:
            heat ``(h, w)`` -> ``size``, float32 in [0, 1].
        """
        x0, y0, x1, y1 = np.array(self.box) * shrink
        y, x = ((np.arange(num) + 0.5).astype(np.float32) for num in size)
        across, down = np.meshgrid(2 * (x - x0) / (x1 - x0) - 1, 2 * (y - y0) / (y1 - y0) - 1)
        grid = torch.from_numpy(np.stack([across, down], -1)).float()
        coarse = torch.from_numpy(heat.astype(np.float32))
        fine = F.grid_sample(
            coarse[None, None], grid[None], mode="bicubic", padding_mode="border", align_corners=False
        )
        return np.where(self.inside(size, shrink), fine[0, 0].clamp(0, 1).numpy(), np.float32(0))

    def inside(self, size: tuple[int, int], shrink: float = 1.0) -> np.ndarray:
        """Return which pixels of the frame the input shows.

        Args:
            size: Height and width of the frame, or of a smaller picture of it.
            shrink: Size of this picture, divided by that of the frame.

        Shape:
            ``size``, bool.
        """
        x0, y0, x1, y1 = self.seen
        y, x = ((np.arange(num) + 0.5) / shrink for num in size)
        return np.asarray(((y > y0) & (y < y1))[:, None] & (x > x0) & (x < x1))

    @property
    def seen(self) -> tuple[float, float, float, float]:
        """The part of the frame that the input shows: the box within the region."""
        (x0, y0, x1, y1), (left, top, right, bottom) = self.box, self.region
        return max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)


def _overlaps(edges: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return which cells between neighbouring edges overlap a stretch by more than a rounding error."""
    shared = edges[1:].clip(start, end) - edges[:-1].clip(start, end)
    return np.asarray(shared > 1e-3 * np.diff(edges))


class WholeFrames(NamedTuple):
    """The whole frames of a clip from which a network's input was cut.

    Args:
        places: Where the input lies on each frame.
        images: Some of the frames by their index, uint8 RGB, upright and in the size of the file.

    Shape:
        places ``T``; images ``(H, W, 3)``.
    """

    places: tuple[Place, ...]
    images: Mapping[int, Image]


def read_whole_frames(
    preprocessing: Preprocessing, clip: ClipRecord, times_s: np.ndarray, shown: Iterable[int]
) -> WholeFrames:
    """Read the whole frames of a clip, and find where a network's input lies on each.

    A clip that consists of depth alone has no colours: its frames are in shades of grey.

    Args:
        preprocessing: How the network's input is read.
        clip: The clip.
        times_s: Times of the frames that the network reads.
        shown: Indices, among these, of the frames to keep.

    Shape:
        times_s ``(T,)``.

    Raises:
        UnreadableError: If the clip can't be read.
    """
    numbers = ((times_s - clip.start_s) * preprocessing.fps).round().astype(int).tolist()
    kept = {numbers[i] for i in shown}
    places: dict[int, Place] = {}
    images: dict[int, Image] = {}
    last = 0
    for number, image, place in _iterate(preprocessing, clip, kept):
        places[number] = place
        last = number
        if image is not None:
            images[number] = image
    held = [min(number, last) for number in numbers]  # depth may be a frame longer than its video
    newest = images[max(images)]
    return WholeFrames(
        tuple(places[number] for number in held), {i: images.get(held[i], newest) for i in shown}
    )


def _iterate(
    preprocessing: Preprocessing, clip: ClipRecord, kept: set[int]
) -> Iterator[tuple[int, Image | None, Place]]:
    """Yield the number of each frame, the frame if it is kept, and the place of the input on it."""
    roi = clip.roi or preprocessing.roi
    whole: dict[int, Image] = {}

    def parts() -> Iterator[tuple[float, Image]]:
        for number, (time_s, images) in enumerate(_read(preprocessing, clip, roi)):
            if number in kept:
                whole[number] = images[0]
            yield time_s, images[-1]

    follows = preprocessing.crop == "motion"
    found = follow_player(parts()) if follows else ((*timed, None) for timed in parts())
    for number, (_, image, window) in enumerate(found):
        height, width = image.shape[:2]
        place = _place(preprocessing, roi or (0, 0, width, height), window)
        yield number, whole.pop(number, None), place


def _read(
    preprocessing: Preprocessing, clip: ClipRecord, roi: Roi | None
) -> Iterator[tuple[float, tuple[Image, ...]]]:
    """Yield the time of each frame, the frame, and its region if there is one."""
    path, fps = clip.path, preprocessing.fps
    if not is_depth(path):
        end_s = math.inf if clip.end_s is None else clip.end_s
        rois = [None] if roi is None else [None, roi]
        yield from read_tracks(path, fps, clip.start_s, end_s, None, "pad", rois, "none", False)
        return
    depth = open_depth(find_depth(path), fps)
    end_s = min(depth.duration_s, clip.end_s or math.inf)
    for number in range(math.ceil((end_s - clip.start_s) * fps - 1e-9)):
        time_s = clip.start_s + number / fps
        metres = depth.read(min(int((time_s + 1e-6) * depth.fps), depth.num_frames - 1))
        grey = quantise(np.nan_to_num(metres, posinf=0, neginf=0), preprocessing.depth_range_m)
        image = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
        yield time_s, (image,) if roi is None else (image, image[roi[1] : roi[3], roi[0] : roi[2]])


def _place(preprocessing: Preprocessing, region: Roi, window: Window | None) -> Place:
    x0, y0, x1, y1 = region
    size = preprocessing.decoded_size
    if window is not None:
        x, y = x0 + window.x + 0.5, y0 + window.y + 0.5  # from the centres of pixels to their edges
        half_height, half_width = window.half_height, window.half_height * size[1] / size[0]
        return Place((x - half_width, y - half_height, x + half_width, y + half_height), region)
    height, width = fit_size((y1 - y0, x1 - x0), size, preprocessing.aspect)
    per_row, per_column = (y1 - y0) / height, (x1 - x0) / width
    left = x0 - (size[1] - width) // 2 * per_column
    top = y0 - (size[0] - height) // 2 * per_row
    return Place((left, top, left + size[1] * per_column, top + size[0] * per_row), region)
