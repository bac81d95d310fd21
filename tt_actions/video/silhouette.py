"""The player's silhouette in the frames of a clip: figure and ground parted by graph cut, seeded by motion.

The labelling of the pixels is the cheapest under E(A) = lambda R(A) + B(A): how badly each pixel fits figure
or ground, and how many edges between alike neighbours are cut (Boykov & Jolly 2001). GrabCut (Rother,
Kolmogorov & Blake 2004) fits what both look like, two Gaussian mixtures, to a first labelling, and cuts.

Motion gives the first labelling, in two rounds. The camera's motion is taken away, and the median of the clip
is the background. What differs from it, lies where a person would and has the colours of what differs is cut
out by its colours. Where that figure is not, the background is seen for what it is: the second cut looks at
the difference from it, which a player who hardly moves does not hide from any more, beside brightness and
colour. So the whole clip seeds each of its frames; models and masks that were handed on from frame to frame
handed errors on too, and found less.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tt_actions.video.following import camera_motion, mean_shift
from tt_actions.video.types import Image

HEIGHT = 160
"""Height in pixels of the pictures that are cut: arms are some pixels wide in them."""

MEAN, STD = 0.0, 1.0
"""What to take away from a frame of silhouettes, in [0, 1], and to divide it by then: nothing, and 1."""

NOISE = 10
"""Levels by which a pixel differs from the background without motion."""

FULL_CHANGE = 60.0
"""Levels above the noise that are as good as any more."""

DARKEST_SHADOW = 0.75
"""Share of its light that the background keeps in a shadow."""

MOVED = 14.0
"""Levels above the noise that are motion, and half of them at the second look."""

NUM_NEAR = 5
"""Frames on each side in which a player's motion tells where the player is."""

REACH = 14
"""Pixels around the first figure in which the second can be: a lower arm that was missed."""

HALF_WIDTH, HALF_HEIGHT, LOWER = 2.6, 3.7, 0.6
"""Of where a person can be, in spreads of the motion; arms move most, so the middle lies lower."""


def segment(frames: np.ndarray) -> np.ndarray:
    """Find the player's silhouette in each frame of a clip.

    Args:
        frames: The frames, uint8 RGB, of one view, which may sway or pan; the player is who moves most.

    Returns:
        Where the player is seen; nowhere in a clip in which nothing moves.

    Shape:
        frames ``(T, H, W, 3)`` -> masks ``(T, H, W)``, bool.
    """
    to_middle = stabilise(frames)
    stable = np.stack([warp(frame, matrix) for frame, matrix in zip(frames, to_middle, strict=True)])
    background = np.median(stable, 0)
    change = _change(stable, background, to_middle)
    if not (change > MOVED).any():
        return np.zeros(frames.shape[:3], bool)
    distance = _distance_from_person(change)
    colours = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2LAB) for frame in frames])
    seeds = _likely_figure(colours, change, distance)
    masks = cut(colours, seeds, distance < 1)
    clear, is_hidden = _seen_background(stable, background, masks, to_middle)
    hidden = np.stack([warp(is_hidden, matrix, back=True) for matrix in to_middle]) > 0
    change = np.where(hidden, FULL_CHANGE * masks, _change(stable, clear, to_middle))
    reach = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    near = np.stack([cv2.dilate(mask.astype(np.uint8), reach) for mask in masks]) > 0
    return cut(_features(colours, change), (change > MOVED / 2) & near, near & (distance < 1))


def shrink_masks(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Make frames of silhouettes: how much of each pixel's area is the figure, 255 for all.

    Args:
        masks: Where the player is seen.
        size: Height and width of the frames.

    Shape:
        masks ``(T, H, W)``, bool -> ``(T, *size, 1)``, uint8.
    """
    full = masks.astype(np.uint8) * np.uint8(255)
    how = cv2.INTER_AREA if size[0] < masks.shape[1] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(mask, size[::-1], interpolation=how) for mask in full])[..., None]


def stabilise(frames: np.ndarray) -> list[np.ndarray]:
    """Estimate the camera's motion within a clip.

    It is followed from frame to frame, and what has added up is then put right by the clip's median, twice.

    Args:
        frames: The frames, uint8 RGB.

    Returns:
        For each frame the matrix that takes it to the view of the one in the middle.

    Shape:
        frames ``(T, H, W, 3)`` -> ``(2, 3)`` each, float32.
    """
    middle = len(frames) // 2
    found = [np.eye(2, 3, dtype=np.float32) for _ in frames]
    for i in range(middle + 1, len(frames)):
        found[i] = _compose(found[i - 1], camera_motion(frames[i], frames[i - 1]))
    for i in range(middle - 1, -1, -1):
        found[i] = _compose(found[i + 1], camera_motion(frames[i], frames[i + 1]))
    for _ in range(2):
        stable = [warp(frame, matrix) for frame, matrix in zip(frames, found, strict=True)]
        median = np.median(stable, 0).astype(np.uint8)
        found = [
            _compose(camera_motion(image, median), matrix)
            for image, matrix in zip(stable, found, strict=True)
        ]
    return found


def _compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    turn, shift = second[:, :2], second[:, 2:]
    return np.concatenate([turn @ first[:, :2], turn @ first[:, 2:] + shift], 1)


def warp(image: Image, matrix: np.ndarray, *, back: bool = False) -> Image:
    """Take a picture to another view; beyond the edge the edge is repeated.

    Args:
        image: The picture.
        matrix: The way there, or with ``back`` the way here.
        back: Whether to go the other way.

    Shape:
        image ``(H, W, ...)``, matrix ``(2, 3)`` -> ``(H, W, ...)``.
    """
    how = cv2.INTER_LINEAR | (cv2.WARP_INVERSE_MAP if back else 0)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=how, borderMode=cv2.BORDER_REPLICATE)


def _change(stable: np.ndarray, background: np.ndarray, to_middle: Sequence[np.ndarray]) -> np.ndarray:
    """How many levels above the noise each frame differs from the background, in the frame's own view.

    A shadow, in which the background is darker all alike, is none.
    """
    light = (stable * background).sum(3) / np.maximum((background**2).sum(2), 1)
    in_shadow = background * light.clip(DARKEST_SHADOW, 1)[..., None]
    change = (np.abs(stable - in_shadow).max(3) - NOISE).clip(0, FULL_CHANGE).astype(np.float32)
    return np.stack([warp(one, matrix, back=True) for one, matrix in zip(change, to_middle, strict=True)])


def _distance_from_person(change: np.ndarray) -> np.ndarray:
    """Distance of each pixel from the player's middle, 1 where a person ends."""
    height, width = change.shape[1:]
    whole = change.mean(0)
    blurred = cv2.GaussianBlur(whole, (0, 0), height / 12)
    y, x = (float(i) for i in np.unravel_index(int(blurred.argmax()), blurred.shape))
    x, y, spread = mean_shift(whole, x, y, height / 7)
    rows, columns = np.mgrid[:height, :width]
    distances = []
    for i in range(len(change)):
        near = change[max(0, i - NUM_NEAR) : i + NUM_NEAR + 1].mean(0)
        near_x, near_y, _ = mean_shift(near, x, y, spread)
        middle_x, middle_y = (near_x + x) / 2, (near_y + y) / 2 + LOWER * spread
        across, down = columns - middle_x, rows - middle_y
        distances.append(np.hypot(across / (HALF_WIDTH * spread), down / (HALF_HEIGHT * spread)))
    return np.stack(distances).astype(np.float32)


def _likely_figure(colours: np.ndarray, change: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Where colour, change and place, each counted over a first guess, together speak for the figure."""
    side = max(3, change.shape[1] // 20) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = [cv2.morphologyEx((one > MOVED).astype(np.uint8), cv2.MORPH_CLOSE, kernel) for one in change]
    guess = np.where(np.stack(closed) > 0, 0.8, np.where(distance < 0.35, 0.6, 0.05)) * (distance < 1)
    is_near = distance < 1.3
    bins = (colours // 16).astype(int) @ np.array([256, 16, 1])
    evidence = _log_odds(bins, guess, is_near, (16, 16, 16))
    evidence += _log_odds((change / 4).astype(int), guess, is_near, (16,))
    evidence += (1 - 4 * distance).clip(-4, 1)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 1.0) for one in evidence.astype(np.float32)])
    return (smooth > 0) & (distance < 1)


def _log_odds(bins: np.ndarray, guess: np.ndarray, counts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """How much more often the value of a pixel is that of the figure than of the ground, in logs."""
    densities = []
    for share in (guess, 1 - guess):
        counted = np.bincount(bins[counts], share[counts], int(np.prod(shape)))
        histogram: np.ndarray = counted.reshape(shape)
        for axis in range(len(shape)):
            histogram = (np.roll(histogram, 1, axis) + 2 * histogram + np.roll(histogram, -1, axis)) / 4
        densities.append(histogram.ravel() / histogram.sum() + 1e-5)
    odds: np.ndarray = np.log(densities[0] / densities[1]).clip(-4, 4)[bins]
    return odds


def _seen_background(
    stable: np.ndarray, background: np.ndarray, masks: np.ndarray, to_middle: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The median over the frames in which a pixel is not the figure, and where it nearly always is."""
    kernel = np.ones((3, 3), np.uint8)
    grown = [cv2.dilate(mask.astype(np.uint8), kernel) for mask in masks]
    covered = np.stack([warp(mask, matrix) for mask, matrix in zip(grown, to_middle, strict=True)]) > 0
    seen = np.ma.masked_array(stable, np.broadcast_to(covered[..., None], stable.shape))
    is_hidden = covered.mean(0) > 0.93
    median = np.ma.median(seen, 0).filled(0)  # type: ignore[no-untyped-call]
    return np.where(is_hidden[..., None], background, median), is_hidden.astype(np.uint8)


def _features(colours: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Three 8-bit channels, as many as GrabCut takes: change, brightness, and the mean of the two colours."""
    brightness, green_red, blue_yellow = np.moveaxis(colours.astype(np.float32), -1, 0)
    channels = [(4 * change).clip(0, 255), brightness, (green_red + blue_yellow) / 2]
    return np.stack(channels, -1).astype(np.uint8)


def cut(features: np.ndarray, figure: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Part figure and ground in each frame by graph cut, and drop what is small beside the largest part.

    Args:
        features: Three channels of each pixel, uint8.
        figure: What is taken for the figure at first.
        allowed: Where the figure can be.

    Shape:
        features ``(T, H, W, 3)``, figure and allowed ``(T, H, W)``, bool -> masks ``(T, H, W)``, bool.
    """
    masks = []
    seeds = np.where(allowed, np.where(figure, cv2.GC_PR_FGD, cv2.GC_PR_BGD), cv2.GC_BGD).astype(np.uint8)
    for image, labels in zip(features, seeds, strict=True):
        if len(np.unique(labels == cv2.GC_PR_FGD)) == 2:
            cv2.setRNGSeed(0)  # the mixtures begin with k-means
            ground, person = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.grabCut(image, labels, (0, 0, 1, 1), ground, person, 1, cv2.GC_INIT_WITH_MASK)
        masks.append(_largest_parts((labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD)))
    return np.stack(masks)


def _largest_parts(mask: np.ndarray) -> np.ndarray:
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = sizes[:, cv2.CC_STAT_AREA] * (np.arange(count) > 0)
    return np.isin(parts, np.flatnonzero((areas > 0) & (areas >= 0.1 * areas.max())))
