"""Finding the player in a video from motion alone, after the camera's motion is compensated."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.video.types import Image

HEIGHT = 120
"""Height in pixels of the images in which motion is detected."""


class Window(NamedTuple):
    """A window in a frame.

    Args:
        x: Horizontal position of its centre, in pixels.
        y: Vertical position of its centre, in pixels.
        half_height: Half of its height, in pixels.
    """

    x: float
    y: float
    half_height: float


INTERVAL_S = 1 / 15
"""Approximate time in seconds between the images in which motion is detected."""


class PlayerFollower:
    """Follows the person who moves most, frame by frame, using only the frames so far.

    It analyses twelve to twenty frames per second, whatever the rate of the video, or every frame of a slower
    video.

    The camera's motion between two frames is a similarity transform, fitted by RANSAC to corners that the
    method of Lucas and Kanade follows. Differences that remain, beyond what a shift of one pixel explains,
    are motion of the scene. They are summed with an exponential memory that moves along with the camera. Mean
    shift (Comaniciu & Meer 2002) finds the mean and the spread of this sum under a Gaussian window: they are
    the position and the size of the player. The search starts at the last position of the player, or at the
    peak of the motion if the peak is elsewhere for some frames in a row.

    Args:
        margin: Half of the window's height, divided by the spread of the motion.
        memory: Share of the motion that the sum keeps from one analysed frame to the next.
        smoothing: Weight of the window's last position in its new one; the size changes four times as slowly.
    """

    NOISE = 6.0  # difference in levels that occurs without motion
    MIN_MOTION = 300.0  # sum of levels that a player exceeds
    PATIENCE = 3  # analysed frames with the peak elsewhere before the window moves there

    def __init__(self, margin: float = 3.0, memory: float = 0.85, smoothing: float = 0.6) -> None:
        self.margin, self.memory, self.smoothing = margin, memory, smoothing
        self.before: Image | None = None
        self.last_update_s = -math.inf
        self.motion: Image = np.zeros((0, 0), np.float32)
        self.found: tuple[float, float, float] | None = None  # x, y and spread, in the small image
        self.window: tuple[float, float, float] | None = None  # the same, smoothed
        self.num_elsewhere = 0

    def update(self, image: Image, time_s: float) -> Window | None:
        """Process the next frame and return the player's window.

        Args:
            image: The frame, uint8 RGB. If its shape changes, the sum of the motion starts again.
            time_s: Time of the frame in seconds.

        Returns:
            The player's window, or None as long as nothing has moved.

        Shape:
            image ``(H, W, 3)``.
        """
        scale = HEIGHT / image.shape[0]
        if time_s - self.last_update_s > 0.74 * INTERVAL_S:  # every frame at 20 fps, every second one at 24
            self._add_motion(image, scale)
            self.last_update_s = time_s
        if self.window is None:
            return None
        x, y, spread = self.window
        return Window(x / scale, y / scale, self.margin * spread / scale)

    def _add_motion(self, image: Image, scale: float) -> None:
        size = (max(1, round(image.shape[1] * scale)), HEIGHT)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if self.before is None or self.before.shape != small.shape:  # a stream's size may change
            self.motion = np.zeros(small.shape[:2], np.float32)
        else:
            camera = camera_motion(self.before, small)
            moved = cv2.warpAffine(self.motion, camera, size)
            self.motion = self.memory * moved + scene_motion(self.before, small, camera, self.NOISE)
        self.before = small
        if self.found is not None or self.motion.sum() > self.MIN_MOTION:
            self._search()

    def _search(self) -> None:
        height = self.motion.shape[0]
        blurred = cv2.GaussianBlur(self.motion, (0, 0), height / 12)
        peak_y, peak_x = np.unravel_index(int(blurred.argmax()), blurred.shape)
        elsewhere = float(peak_x), float(peak_y), height / 7
        if self.found is None:
            self.found = elsewhere
        x, y, _ = self.found
        here = blurred[
            min(max(round(y), 0), blurred.shape[0] - 1), min(max(round(x), 0), blurred.shape[1] - 1)
        ]
        is_outside_window = blurred[peak_y, peak_x] > 1.8 * here
        self.num_elsewhere = self.num_elsewhere + 1 if is_outside_window else 0
        if self.num_elsewhere >= self.PATIENCE:
            self.found, self.num_elsewhere = elsewhere, 0
        self.found = mean_shift(self.motion, *self.found)
        if self.window is None:
            self.window = self.found
        else:
            keep = np.array([self.smoothing, self.smoothing, (3 + self.smoothing) / 4])
            smoothed = keep * self.window + (1 - keep) * self.found
            self.window = (float(smoothed[0]), float(smoothed[1]), float(smoothed[2]))


def camera_motion(before: Image, after: Image) -> np.ndarray:
    """Estimate the similarity transform that maps a static scene from one image to the next.

    Args:
        before: The earlier image, uint8 RGB.
        after: The later image, uint8 RGB.

    Returns:
        The matrix, or the identity if too few corners agree.

    Shape:
        before and after ``(H, W, 3)`` -> ``(2, 3)``, float32.
    """
    still = np.eye(2, 3, dtype=np.float32)
    before, after = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after))
    corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 6)
    if corners is None or len(corners) < 8:
        return still
    followed, status, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]  # the stub requires an output array
        before, after, corners, None, winSize=(15, 15), maxLevel=3
    )
    is_followed = status.ravel() == 1
    if is_followed.sum() < 8:
        return still
    cv2.setRNGSeed(0)  # RANSAC draws from OpenCV's own generator
    matrix, agrees = cv2.estimateAffinePartial2D(
        corners[is_followed],
        followed[is_followed],
        method=cv2.RANSAC,
        ransacReprojThreshold=1.0,
        maxIters=200,
    )
    if matrix is None or agrees.sum() < 0.3 * is_followed.sum():
        return still
    return np.asarray(matrix, np.float32)


def scene_motion(before: Image, after: Image, camera: np.ndarray, noise: float) -> np.ndarray:
    """Return how much each pixel has changed, beyond what a shift of one pixel explains.

    Args:
        before: The earlier image, uint8 RGB.
        after: The later image, uint8 RGB.
        camera: The camera's motion between them, from :func:`camera_motion`.
        noise: Difference in levels that does not count.

    Returns:
        Change in levels of the colour that changes most, at most 30.

    Shape:
        before and after ``(H, W, 3)`` -> ``(H, W)``, float32.
    """
    size, neighbours = (after.shape[1], after.shape[0]), np.ones((3, 3), np.uint8)
    warped = cv2.warpAffine(before, camera, size, borderMode=cv2.BORDER_REPLICATE)
    is_visible = cv2.warpAffine(np.full(before.shape[:2], 255, np.uint8), camera, size) == 255
    too_bright = cv2.subtract(after, cv2.dilate(warped, neighbours))
    too_dark = cv2.subtract(cv2.erode(warped, neighbours), after)
    change: np.ndarray = np.maximum(too_bright, too_dark).max(2).astype(np.float32) - noise
    return np.where(is_visible, change.clip(0, 30), np.float32(0))


def mean_shift(weights: np.ndarray, x: float, y: float, spread: float) -> tuple[float, float, float]:
    """Find the mean and the spread of a density under a Gaussian window that moves and scales with them.

    Args:
        weights: The density.
        x: Horizontal start position, in pixels.
        y: Vertical start position, in pixels.
        spread: Initial standard deviation, in pixels; the window's is twice as large.

    Returns:
        Position x and y, and standard deviation, corrected for the influence of the window.

    Shape:
        weights ``(H, W)``.
    """
    height, width = weights.shape
    rows, columns = np.arange(height), np.arange(width)
    for _ in range(5):
        window = 2 * spread
        by_row = np.exp(-0.5 * ((rows - y) / window) ** 2)
        by_column = np.exp(-0.5 * ((columns - x) / window) ** 2)
        along_y = by_row * (weights @ by_column)  # (H,)
        along_x = by_column * (by_row @ weights)  # (W,)
        total = along_y.sum()
        if total < 1e-6:
            break
        x, y = float(along_x @ columns / total), float(along_y @ rows / total)
        variance = (along_x @ (columns - x) ** 2 + along_y @ (rows - y) ** 2) / (2 * total)
        # a Gaussian of variance s^2 under a window of variance w^2 has 1 / (1 / s^2 + 1 / w^2)
        variance *= window**2 / max(window**2 - variance, 1e-3)
        spread = float(np.clip(np.sqrt(variance), height / 25, height / 5))
    return x, y, spread


def cut_out(image: Image, window: Window, size: tuple[int, int]) -> Image:
    """Cut a window out of a frame and scale it; beyond the frame, the edge pixels are repeated.

    Args:
        image: The frame, uint8.
        window: The window to cut out.
        size: Height and width of the result; they also set the aspect ratio of the window.

    Shape:
        image ``(H, W, 3)`` -> ``(*size, 3)``.
    """
    step = 2 * window.half_height / size[0]  # pixels of the frame per pixel of the result
    if step > 1.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.35 * step)
    left, top = window.x - step * (size[1] - 1) / 2, window.y - step * (size[0] - 1) / 2
    matrix = np.array([[step, 0, left], [0, step, top]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def follow_player(
    frames: Iterable[tuple[float, Image]], patience_s: float = 1.0
) -> Iterator[tuple[float, Image, Window]]:
    """Find the player's window in each frame of a video.

    Frames before the first motion get the first window that is found. If none is found within
    ``patience_s``, they get a window at the centre of the frame.

    Args:
        frames: Times and frames.
        patience_s: Seconds to wait for the first motion.

    Yields:
        The time, the frame and the player's window: see :func:`cut_out`.

    Shape:
        frames of ``(H, W, 3)``.
    """
    follower, waiting = PlayerFollower(), list[tuple[float, Image]]()
    for time_s, image in frames:
        waiting.append((time_s, image))
        window = follower.update(image, time_s)
        if window is None and time_s - waiting[0][0] < patience_s:
            continue
        for waiting_s, early in waiting:
            yield waiting_s, early, window or _middle(early)
        waiting.clear()
    for waiting_s, early in waiting:
        yield waiting_s, early, _middle(early)


def _middle(image: Image) -> Window:
    height, width = image.shape[:2]
    return Window((width - 1) / 2, (height - 1) / 2, height / 2)
