"""Finding the player in a video by motion alone, the camera's own motion taken away."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.video.types import Image

HEIGHT = 120
"""Height in pixels of the pictures in which motion is looked for."""


class Window(NamedTuple):
    """A part of a picture.

    Args:
        x: Of its centre, in pixels.
        y: Of its centre, in pixels.
        half_height: Half of its height, in pixels.
    """

    x: float
    y: float
    half_height: float


INTERVAL_S = 1 / 15
"""Seconds, about, between the pictures in which motion is looked for."""


class PlayerFollower:
    """Follows whoever moves most, picture by picture, from the pictures so far.

    It looks at twelve to twenty pictures a second, whatever the rate of the video, or at all of fewer.

    The camera's motion between two pictures is a similarity fitted by RANSAC to corners that are followed by
    Lucas and Kanade's method. What then differs between the pictures by more than a shift of one pixel
    explains is motion of the scene; it is summed up with an exponential memory that moves along with the
    camera. The player is the mean and the spread of that sum under a Gaussian window, found by mean shift
    (Comaniciu & Meer 2002) from where the player was, or where most motion is if that lies elsewhere for some
    pictures in a row.

    Args:
        margin: Half of the window's height over the spread of the motion.
        memory: Share of the motion that is still remembered one look later.
        smoothing: Share of the window's last place in its new one; its size is four times as slow.
    """

    NOISE = 6.0  # levels that differ without motion
    LEAST_MOTION = 300.0  # summed levels that make a player
    PATIENCE = 3  # looks at which most motion is elsewhere before it is followed there

    def __init__(self, margin: float = 3.0, memory: float = 0.85, smoothing: float = 0.6) -> None:
        self.margin, self.memory, self.smoothing = margin, memory, smoothing
        self.before: Image | None = None
        self.looked_s = -math.inf
        self.motion: Image = np.zeros((0, 0), np.float32)
        self.found: tuple[float, float, float] | None = None  # x, y and spread, in the small picture
        self.window: tuple[float, float, float] | None = None  # the same, smoothed
        self.looks_elsewhere = 0

    def update(self, image: Image, time_s: float) -> Window | None:
        """Take in the next picture.

        Args:
            image: The picture, uint8 RGB; where its shape changes, motion is summed up anew.
            time_s: When it is shown, in seconds.

        Returns:
            Where the player is; None as long as nothing has moved.

        Shape:
            image ``(H, W, 3)``.
        """
        scale = HEIGHT / image.shape[0]
        if time_s - self.looked_s > 0.74 * INTERVAL_S:  # all at 20 a second, every other at 24
            self._look(image, scale)
            self.looked_s = time_s
        if self.window is None:
            return None
        x, y, spread = self.window
        return Window(x / scale, y / scale, self.margin * spread / scale)

    def _look(self, image: Image, scale: float) -> None:
        size = (max(1, round(image.shape[1] * scale)), HEIGHT)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if self.before is None or self.before.shape != small.shape:  # a stream's size may change
            self.motion = np.zeros(small.shape[:2], np.float32)
        else:
            camera = camera_motion(self.before, small)
            moved = cv2.warpAffine(self.motion, camera, size)
            self.motion = self.memory * moved + scene_motion(self.before, small, camera, self.NOISE)
        self.before = small
        if self.found is not None or self.motion.sum() > self.LEAST_MOTION:
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
        is_elsewhere = blurred[peak_y, peak_x] > 1.8 * here
        self.looks_elsewhere = self.looks_elsewhere + 1 if is_elsewhere else 0
        if self.looks_elsewhere >= self.PATIENCE:
            self.found, self.looks_elsewhere = elsewhere, 0
        self.found = mean_shift(self.motion, *self.found)
        if self.window is None:
            self.window = self.found
        else:
            keep = np.array([self.smoothing, self.smoothing, (3 + self.smoothing) / 4])
            smoothed = keep * self.window + (1 - keep) * self.found
            self.window = (float(smoothed[0]), float(smoothed[1]), float(smoothed[2]))


def camera_motion(before: Image, after: Image) -> np.ndarray:
    """Estimate the similarity that takes a still scene from one picture to the next.

    Args:
        before: The earlier picture, uint8 RGB.
        after: The later picture, uint8 RGB.

    Returns:
        The matrix; the identity where too few corners agree.

    Shape:
        before and after ``(H, W, 3)`` -> ``(2, 3)``, float32.
    """
    still = np.eye(2, 3, dtype=np.float32)
    before, after = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after))
    corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 6)
    if corners is None or len(corners) < 8:
        return still
    followed, status, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]  # its stub wants a result
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
    """Return how much each pixel differs from the one before by more than a shift of a pixel explains.

    Args:
        before: The earlier picture, uint8 RGB.
        after: The later picture, uint8 RGB.
        camera: The camera's motion between them, as of :func:`camera_motion`.
        noise: Levels that don't count.

    Returns:
        Levels of the colour that changes most, at most 30.

    Shape:
        before and after ``(H, W, 3)`` -> ``(H, W)``, float32.
    """
    size, neighbours = (after.shape[1], after.shape[0]), np.ones((3, 3), np.uint8)
    warped = cv2.warpAffine(before, camera, size, borderMode=cv2.BORDER_REPLICATE)
    is_seen = cv2.warpAffine(np.full(before.shape[:2], 255, np.uint8), camera, size) == 255
    too_bright = cv2.subtract(after, cv2.dilate(warped, neighbours))
    too_dark = cv2.subtract(cv2.erode(warped, neighbours), after)
    change: np.ndarray = np.maximum(too_bright, too_dark).max(2).astype(np.float32) - noise
    return np.where(is_seen, change.clip(0, 30), np.float32(0))


def mean_shift(weights: np.ndarray, x: float, y: float, spread: float) -> tuple[float, float, float]:
    """Find the mean and the spread of what lies under a Gaussian window, which moves and grows with them.

    Args:
        weights: The density.
        x: Where to begin, in pixels.
        y: Where to begin, in pixels.
        spread: The standard deviation to begin with, in pixels; the window's is twice that.

    Returns:
        Place and standard deviation, the window's influence on it taken away.

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
    """Cut a window out of a picture and scale it; beyond the edge the edge is repeated.

    Args:
        image: The picture, uint8.
        window: What to cut out.
        size: Height and width of the result; they give the window its aspect.

    Shape:
        image ``(H, W, 3)`` -> ``(*size, 3)``.
    """
    step = 2 * window.half_height / size[0]  # pixels of the picture to one of the result
    if step > 1.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.35 * step)
    left, top = window.x - step * (size[1] - 1) / 2, window.y - step * (size[0] - 1) / 2
    matrix = np.array([[step, 0, left], [0, step, top]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size[::-1], flags=how, borderMode=cv2.BORDER_REPLICATE)


def follow_player(
    frames: Iterable[tuple[float, Image]], patience_s: float = 1.0
) -> Iterator[tuple[float, Image, Window]]:
    """Find the player in each frame of a video.

    Frames before the first motion get the first window that is found; where none is found for a while, the
    middle of the picture.

    Args:
        frames: Times and frames.
        patience_s: Seconds to wait for the first motion.

    Yields:
        The time, the frame, and where the player is: see :func:`cut_out`.

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
