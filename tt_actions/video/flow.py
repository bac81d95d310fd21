"""Optical flow: how far each pixel has moved since the previous frame."""

import cv2
import numpy as np

from tt_actions.video.types import Image

FULL_SCALE = 2.4
"""Highest speed that an 8-bit flow channel can represent, in frame heights per second."""

ZERO_FLOW = 128
"""Value of an 8-bit flow channel without motion."""

MEAN = (ZERO_FLOW / 255, ZERO_FLOW / 255)
"""Value to subtract from the flow channels, in [0, 1], so that no motion becomes 0."""

STD = (127 / 255 / FULL_SCALE, 127 / 255 / FULL_SCALE)
"""Value to divide the flow channels by, in [0, 1], to obtain frame heights per second."""

DETAIL = 2
"""Flow is computed on images of this many times the frames' height and width, because hands are small."""


def optical_flow(before: Image, after: Image) -> np.ndarray:
    """Compute the motion of each pixel by dense inverse search (Kroeger et al. 2016, arXiv:1603.03590).

    Args:
        before: The earlier image, uint8 RGB.
        after: The later image, uint8 RGB.

    Returns:
        Motion in pixels, x to the right and y down.

    Shape:
        before and after ``(H, W, 3)`` -> ``(H, W, 2)``, float32.
    """
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(*greys, None)  # type: ignore[call-overload]  # the stub requires an output array
    return np.asarray(flow, np.float32)


def with_flow(before: Image, after: Image, fps: float) -> Image:
    """Return a frame with five 8-bit channels: colours and flow.

    The median of the flow along the edge of the image is subtracted. The edge shows the background, and so
    the motion of the camera.

    Args:
        before: The previous image, at ``DETAIL`` times the size of the frame, uint8 RGB.
        after: The current image, of the same size.
        fps: Images per second; the two are one image apart.

    Returns:
        RGB, and flow to the right and down: ``ZERO_FLOW`` without motion, and 127 more or less at
        ``FULL_SCALE`` frame heights per second and above.

    Shape:
        before and after ``(2 H, 2 W, 3)`` -> ``(H, W, 5)``, uint8.
    """
    height, width = after.shape[0] // DETAIL, after.shape[1] // DETAIL
    flow = cv2.resize(optical_flow(before, after), (width, height), interpolation=cv2.INTER_AREA)
    band = max(1, round(min(height, width) / 8))
    is_edge = np.ones((height, width), bool)
    is_edge[band : height - band, band : width - band] = False
    heights_per_s = (flow - np.median(flow[is_edge], axis=0)) * (fps / after.shape[0])
    coded = (ZERO_FLOW + 127 * heights_per_s / FULL_SCALE).round().clip(ZERO_FLOW - 127, ZERO_FLOW + 127)
    colours = cv2.resize(after, (width, height), interpolation=cv2.INTER_AREA)
    return np.concatenate([colours, coded.astype(np.uint8)], 2)
