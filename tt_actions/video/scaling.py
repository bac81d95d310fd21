"""Decoded frames as upright RGB images: cropping and scaling in one pass."""

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
"""Formats to crop in: in deeper ones libavfilter's crop fails if the region begins at an odd column."""


class Scaler:
    """Scales a video's frames to one size, with libswscale on the decoded planes.

    Each pixel of a smaller image is the average of the area that it covers. Scaling comes before the
    conversion to RGB, which takes a tenth of the time of converting the whole frame first.

    Args:
        path: The video file, for messages.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect ratio and pads with black; ``stretch`` does not keep it.
        roi: Region (x0, y0, x1, y1) of the upright frame to cut out before scaling, or None for all of it.
    """

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, aspect: Aspect = "pad", roi: Roi | None = None
    ) -> None:
        self.path, self.size, self.aspect, self.roi = path, size, aspect, roi
        self._frame_kind: tuple[object, ...] = ()
        self._graph = Graph()
        self._turns = 0

    def __call__(self, frame: av.VideoFrame) -> Image:
        """Return a decoded frame as an upright image.

        Args:
            frame: The frame. Its size and format may differ from those of the frame before.

        Returns:
            uint8 RGB, contiguous.

        Shape:
            ``(H, W, 3)``.

        Raises:
            VideoError: If the region does not lie within the frame.
        """
        frame_kind = frame.format.name, frame.width, frame.height, frame.rotation
        if frame_kind != self._frame_kind:
            self._graph, self._frame_kind = self._make_graph(frame), frame_kind
        self._graph.push(frame)
        scaled = self._graph.pull()
        assert isinstance(scaled, av.VideoFrame)
        image = np.ascontiguousarray(np.rot90(scaled.to_ndarray(), self._turns))
        return image if self.size is None else pad_to_size(image, self.size)

    def _make_graph(self, frame: av.VideoFrame) -> Graph:
        self._turns = round(frame.rotation / 90) % 4
        stored = frame.height, frame.width
        upright = stored if self._turns % 2 == 0 else stored[::-1]
        roi = self.roi or (0, 0, upright[1], upright[0])
        if roi[2] > upright[1] or roi[3] > upright[0]:
            raise VideoError(
                f"Expected `roi` to lie within the {upright[1]}x{upright[0]} pixels of '{self.path}', but "
                f"got {roi}. Correct the region; its coordinates refer to the upright frame."
            )
        x0, y0, x1, y1 = to_stored_region(roi, self._turns, stored)
        height, width = roi[3] - roi[1], roi[2] - roi[0]
        if self.size is not None:
            height, width = fit_size((height, width), self.size, self.aspect)
        flags = _CONVERT
        if (height, width) != (roi[3] - roi[1], roi[2] - roi[0]):
            flags = _SHRINK if height < roi[3] - roi[1] or width < roi[2] - roi[0] else _ENLARGE
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
            graph.add("scale", f"{width}:{height}:flags={flags}"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*parts).configure()
        return graph


def fit_size(of: tuple[int, ...], size: tuple[int, int], aspect: Aspect) -> tuple[int, int]:
    """Return the height and width to which an image is scaled before it is padded with black.

    Args:
        of: Height and width of the image.
        size: Height and width of the result.
        aspect: ``pad`` keeps the aspect ratio of the image; ``stretch`` does not.

    >>> fit_size((100, 400), (50, 50), "pad")
    (12, 50)
    """
    if aspect == "stretch":
        return size
    scale = min(size[0] / of[0], size[1] / of[1])
    return max(1, round(of[0] * scale)), max(1, round(of[1] * scale))


def pad_to_size(image: Image, size: tuple[int, int]) -> Image:
    """Centre an image on a black one.

    Args:
        image: The image.
        size: Height and width of the result; neither may be smaller than the image's.

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


def to_stored_region(roi: Roi, turns: int, stored: tuple[int, int]) -> Roi:
    """Convert a region of the upright frame to coordinates of the frame as it is stored.

    Args:
        roi: (x0, y0, x1, y1) in pixels of the upright frame.
        turns: Counter-clockwise quarter turns that bring the stored frame upright.
        stored: Height and width of the stored frame.

    >>> to_stored_region((0, 0, 2, 1), 1, (4, 6))
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
