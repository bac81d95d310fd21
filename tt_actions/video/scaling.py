"""Decoded frames as upright RGB pictures: a region cut out and scaled in one pass."""

from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.filter import Graph

from tt_actions.errors import VideoError
from tt_actions.video.types import Image, Roi

Aspect = Literal["stretch", "pad"]

_CONVERT = "bilinear"
_SHRINK = "area+accurate_rnd+full_chroma_inp+full_chroma_int"
_ENLARGE = "bilinear+accurate_rnd+full_chroma_inp+full_chroma_int"

_CUTTABLE = "yuv420p|yuvj420p|yuv422p|yuvj422p|yuv444p|yuvj444p|rgb24|bgr24|gray"
"""Of deeper formats libavfilter's crop gives garbage where the region begins at an odd column."""


class Scaler:
    """Makes pictures of one size from a video's frames, by libswscale on the planes as they are decoded.

    Each pixel of a shrunk picture is the average of the area that it stands for, so that the conversion to
    RGB is done on the small picture: a tenth of the time that converting the whole picture first takes.

    Args:
        path: The video file, for messages.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect and fills up with black, ``stretch`` does not.
        roi: Region (x0, y0, x1, y1) of the upright picture to cut out before scaling, or None for all.
    """

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, aspect: Aspect = "pad", roi: Roi | None = None
    ) -> None:
        self.path, self.size, self.aspect, self.roi = path, size, aspect, roi
        self._made_for: tuple[object, ...] = ()
        self._graph = Graph()
        self._turns = 0

    def __call__(self, frame: av.VideoFrame) -> Image:
        """Return a frame's picture.

        Args:
            frame: The frame; of another size or format than the one before if need be.

        Returns:
            uint8 RGB, contiguous.

        Shape:
            ``(H, W, 3)``.

        Raises:
            VideoError: If the region does not lie in the picture.
        """
        made_for = frame.format.name, frame.width, frame.height, frame.rotation
        if made_for != self._made_for:
            self._graph, self._made_for = self._make_graph(frame), made_for
        self._graph.push(frame)
        scaled = self._graph.pull()
        assert isinstance(scaled, av.VideoFrame)
        image = np.ascontiguousarray(np.rot90(scaled.to_ndarray(), self._turns))
        return image if self.size is None else fill_up(image, self.size)

    def _make_graph(self, frame: av.VideoFrame) -> Graph:
        self._turns = round(frame.rotation / 90) % 4
        stored = frame.height, frame.width
        upright = stored if self._turns % 2 == 0 else stored[::-1]
        roi = self.roi or (0, 0, upright[1], upright[0])
        if roi[2] > upright[1] or roi[3] > upright[0]:
            raise VideoError(
                f"Expected `roi` to lie within the {upright[1]}x{upright[0]} pixels of '{self.path}', but "
                f"got {roi}. Correct the region; it counts in pixels of the upright picture."
            )
        x0, y0, x1, y1 = turn_back(roi, self._turns, stored)
        height, width = roi[3] - roi[1], roi[2] - roi[0]
        if self.size is not None:
            height, width = fit_size((height, width), self.size, self.aspect)
        how = _CONVERT
        if (height, width) != (roi[3] - roi[1], roi[2] - roi[0]):
            how = _SHRINK if height < roi[3] - roi[1] or width < roi[2] - roi[0] else _ENLARGE
        if self._turns % 2:
            height, width = width, height
        graph = Graph()
        source = (
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1:"
            f"colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
        )
        parts = [
            graph.add("buffer", source),
            graph.add("format", _CUTTABLE),
            graph.add("crop", f"{x1 - x0}:{y1 - y0}:{x0}:{y0}:exact=1"),
            graph.add("scale", f"{width}:{height}:flags={how}"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*parts).configure()
        return graph


def fit_size(of: tuple[int, ...], size: tuple[int, int], aspect: Aspect) -> tuple[int, int]:
    """Return the height and width that a picture is scaled to, before it is filled up with black.

    Args:
        of: Its height and width.
        size: Height and width of the result.
        aspect: ``pad`` keeps the picture's aspect, ``stretch`` does not.

    >>> fit_size((100, 400), (50, 50), "pad")
    (12, 50)
    """
    if aspect == "stretch":
        return size
    scale = min(size[0] / of[0], size[1] / of[1])
    return max(1, round(of[0] * scale)), max(1, round(of[1] * scale))


def fill_up(image: Image, size: tuple[int, int]) -> Image:
    """Put a picture into the middle of a black one.

    Args:
        image: The picture.
        size: Height and width of the result, none smaller than the picture's.

    Shape:
        image ``(h, w, ...)`` -> ``(*size, ...)``.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas = np.zeros((*size, *image.shape[2:]), image.dtype)
    canvas[top : top + height, left : left + width] = image
    return canvas


def turn_back(roi: Roi, turns: int, stored: tuple[int, int]) -> Roi:
    """Find a region of the upright picture in the picture as it is stored.

    Args:
        roi: (x0, y0, x1, y1) in pixels of the upright picture.
        turns: Quarter turns, counter-clockwise, that bring the stored picture upright.
        stored: Height and width of the stored picture.

    >>> turn_back((0, 0, 2, 1), 1, (4, 6))
    (5, 0, 6, 2)
    """
    x0, y0, x1, y1 = roi
    height, width = stored
    if turns == 1:
        return width - y1, x0, width - y0, x1
    if turns == 2:
        return width - x1, height - y1, width - x0, height - y0
    if turns == 3:
        return y0, height - x1, y1, height - x0
    return roi
