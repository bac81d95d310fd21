"""Optical flow: how far each pixel of a picture has come since the one before."""

import cv2
import numpy as np

from tt_actions.video.types import Image

FULL_SCALE = 2.4
"""Heights of the picture a second that an 8-bit flow channel reaches."""

STILL = 128
"""The value of an 8-bit flow channel where nothing moves."""

MEAN = (STILL / 255, STILL / 255)
"""What to take away from the flow channels, in [0, 1], to have 0 where nothing moves."""

STD = (127 / 255 / FULL_SCALE, 127 / 255 / FULL_SCALE)
"""What to divide the flow channels by, in [0, 1], to have heights of the picture a second."""

DETAIL = 2
"""Flow is found in pictures this many times the height and width of the frames: hands are small."""


def optical_flow(before: Image, after: Image) -> np.ndarray:
    """Find the motion of each pixel by dense inverse search (Kroeger et al. 2016, arXiv:1603.03590).

    Args:
        before: The earlier picture, uint8 RGB.
        after: The later picture, uint8 RGB.

    Returns:
        Motion in pixels, x to the right and y down.

    Shape:
        before and after ``(H, W, 3)`` -> ``(H, W, 2)``, float32.
    """
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(*greys, None)  # type: ignore[call-overload]  # its stub wants a result
    return np.asarray(flow, np.float32)


def with_flow(before: Image, after: Image, fps: float) -> Image:
    """Make a frame of five channels: colours and flow, each 8 bits.

    The median of the flow along the picture's edge is taken away: there the background is seen, and the
    camera's motion with it.

    Args:
        before: The picture before, at ``DETAIL`` times the size of the frame, uint8 RGB.
        after: The picture, of the same size.
        fps: Pictures a second, these two being neighbours.

    Returns:
        RGB, and flow to the right and down: ``STILL`` where nothing moves, 127 more or less at ``FULL_SCALE``
        heights a second and above.

    Shape:
        before and after ``(2 H, 2 W, 3)`` -> ``(H, W, 5)``, uint8.
    """
    height, width = after.shape[0] // DETAIL, after.shape[1] // DETAIL
    flow = cv2.resize(optical_flow(before, after), (width, height), interpolation=cv2.INTER_AREA)
    band = max(1, round(min(height, width) / 8))
    is_edge = np.ones((height, width), bool)
    is_edge[band : height - band, band : width - band] = False
    heights_a_second = (flow - np.median(flow[is_edge], axis=0)) * (fps / after.shape[0])
    coded = (STILL + 127 * heights_a_second / FULL_SCALE).round().clip(STILL - 127, STILL + 127)
    colours = cv2.resize(after, (width, height), interpolation=cv2.INTER_AREA)
    return np.concatenate([colours, coded.astype(np.uint8)], 2)
