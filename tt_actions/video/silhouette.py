"""The player's silhouette in the frames of a clip, segmented by graph cut from motion seeds.

The pose model finds better ones: see :mod:`tt_actions.pose.silhouettes`. Graph cut is the published method,
and needs no network.

The labelling A of the pixels as figure or background minimises E(A) = lambda R(A) + B(A). R says how badly
each pixel fits its label, and B counts cut edges between similar neighbours (Boykov & Jolly 2001). GrabCut
(Rother, Kolmogorov & Blake 2004) fits two Gaussian mixtures, one for the figure and one for the background,
to a first labelling, and then cuts.

Motion gives the first labelling, in two passes. The first pass compensates the camera's motion and takes the
median of the clip as background. Seeds are the pixels that differ from the background, lie where a person
would be, and have the colours of the pixels that differ; the cut then uses colours. The second pass computes
the background again, from the pixels that the first figure does not cover. Even a player who hardly moves
differs from this background, so the second cut uses the difference together with brightness and colour.

In this way the whole clip seeds each of its frames. Passing models and masks on from frame to frame also
passes on errors, and found less of the player.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tt_actions.video.following import camera_motion, mean_shift
from tt_actions.video.types import Image

HEIGHT = 160
"""Height in pixels of the segmented images; arms are then a few pixels wide."""

MEAN, STD = 0.0, 1.0
"""Values to subtract from a silhouette frame, in [0, 1], and to divide it by: it stays as it is."""

NOISE = 10
"""Difference in levels between a pixel and the background that occurs without motion."""

SATURATED_CHANGE = 60.0
"""Levels above the noise at which the evidence of change saturates."""

DARKEST_SHADOW = 0.75
"""Smallest share of its brightness that the background keeps in a shadow."""

MOTION_LEVELS = 14.0
"""Levels above the noise that count as motion in the first pass; the second pass uses half of them."""

NUM_NEAR = 5
"""Number of frames on each side whose motion is used to locate the player."""

SECOND_PASS_REACH = 14
"""Pixels by which the second pass may extend the first figure, for example to a missed forearm."""

HALF_WIDTH, HALF_HEIGHT, VERTICAL_OFFSET = 2.6, 3.7, 0.6
"""Area where a person can be, in units of the motion's spread; lower than the motion, as arms move most."""


def segment(frames: np.ndarray) -> np.ndarray:
    """Find the player's silhouette in each frame of a clip.

    Args:
        frames: The frames, uint8 RGB, of one view, which may sway or pan. The player is the person who moves
            most.

    Returns:
        Masks of the player; empty for a clip in which nothing moves.

    Shape:
        frames ``(T, H, W, 3)`` -> masks ``(T, H, W)``, bool.
    """
    to_middle = stabilise(frames)
    stable = np.stack([warp(frame, matrix) for frame, matrix in zip(frames, to_middle, strict=True)])
    background = np.median(stable, 0)
    change = _change(stable, background, to_middle)
    if not (change > MOTION_LEVELS).any():
        return np.zeros(frames.shape[:3], bool)
    distance = _distance_from_person(change)
    colours = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2LAB) for frame in frames])
    seeds = _likely_figure(colours, change, distance)
    masks = cut(colours, seeds, distance < 1)
    clear, is_hidden = _seen_background(stable, background, masks, to_middle)
    hidden = np.stack([warp(is_hidden, matrix, back=True) for matrix in to_middle]) > 0
    change = np.where(hidden, SATURATED_CHANGE * masks, _change(stable, clear, to_middle))
    reach = np.ones((2 * SECOND_PASS_REACH + 1, 2 * SECOND_PASS_REACH + 1), np.uint8)
    near = np.stack([cv2.dilate(mask.astype(np.uint8), reach) for mask in masks]) > 0
    return cut(_features(colours, change), (change > MOTION_LEVELS / 2) & near, near & (distance < 1))


def shrink_masks(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale masks to silhouette frames: the share of each pixel's area that is figure, 255 for all of it.

    Args:
        masks: Masks of the player.
        size: Height and width of the frames.

    Shape:
        masks ``(T, H, W)``, bool -> ``(T, *size, 1)``, uint8.
    """
    full = masks.astype(np.uint8) * np.uint8(255)
    method = cv2.INTER_AREA if size[0] < masks.shape[1] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(mask, size[::-1], interpolation=method) for mask in full])[..., None]


def stabilise(frames: np.ndarray) -> list[np.ndarray]:
    """Estimate the camera motion within a clip.

    The motion is estimated from frame to frame. Two passes then correct accumulated errors by aligning each
    frame with the median of the clip.

    Args:
        frames: The frames, uint8 RGB.

    Returns:
        For each frame, the matrix that maps it to the view of the middle frame.

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
    rotation, shift = second[:, :2], second[:, 2:]
    return np.concatenate([rotation @ first[:, :2], rotation @ first[:, 2:] + shift], 1)


def warp(image: Image, matrix: np.ndarray, *, back: bool = False) -> Image:
    """Warp an image to another view; beyond the image, the edge pixels are repeated.

    Args:
        image: The image.
        matrix: The matrix that maps the image to the other view or, with ``back``, the other view to the
            image.
        back: Whether to apply the inverse of the matrix.

    Shape:
        image ``(H, W, ...)``, matrix ``(2, 3)`` -> ``(H, W, ...)``.
    """
    flags = cv2.INTER_LINEAR | (cv2.WARP_INVERSE_MAP if back else 0)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _change(stable: np.ndarray, background: np.ndarray, to_middle: Sequence[np.ndarray]) -> np.ndarray:
    """Return the difference between each frame and the background, in levels above the noise.

    The result is in the frame's own view. A shadow, which darkens all colours of the background equally, does
    not count as a difference.
    """
    light = (stable * background).sum(3) / np.maximum((background**2).sum(2), 1)
    in_shadow = background * light.clip(DARKEST_SHADOW, 1)[..., None]
    change = (np.abs(stable - in_shadow).max(3) - NOISE).clip(0, SATURATED_CHANGE).astype(np.float32)
    return np.stack([warp(one, matrix, back=True) for one, matrix in zip(change, to_middle, strict=True)])


def _distance_from_person(change: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel from the player's centre; 1 is the outer limit of a person."""
    height, width = change.shape[1:]
    mean_change = change.mean(0)
    blurred = cv2.GaussianBlur(mean_change, (0, 0), height / 12)
    y, x = (float(i) for i in np.unravel_index(int(blurred.argmax()), blurred.shape))
    x, y, spread = mean_shift(mean_change, x, y, height / 7)
    rows, columns = np.mgrid[:height, :width]
    distances = []
    for i in range(len(change)):
        near = change[max(0, i - NUM_NEAR) : i + NUM_NEAR + 1].mean(0)
        near_x, near_y, _ = mean_shift(near, x, y, spread)
        centre_x, centre_y = (near_x + x) / 2, (near_y + y) / 2 + VERTICAL_OFFSET * spread
        across, down = columns - centre_x, rows - centre_y
        distances.append(np.hypot(across / (HALF_WIDTH * spread), down / (HALF_HEIGHT * spread)))
    return np.stack(distances).astype(np.float32)


def _likely_figure(colours: np.ndarray, change: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return the pixels that colour, change and position together classify as figure, given a first guess."""
    side = max(3, change.shape[1] // 20) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = [
        cv2.morphologyEx((one > MOTION_LEVELS).astype(np.uint8), cv2.MORPH_CLOSE, kernel) for one in change
    ]
    guess = np.where(np.stack(closed) > 0, 0.8, np.where(distance < 0.35, 0.6, 0.05)) * (distance < 1)
    is_near = distance < 1.3
    bins = (colours // 16).astype(int) @ np.array([256, 16, 1])
    evidence = _log_odds(bins, guess, is_near, (16, 16, 16))
    evidence += _log_odds((change / 4).astype(int), guess, is_near, (16,))
    evidence += (1 - 4 * distance).clip(-4, 1)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 1.0) for one in evidence.astype(np.float32)])
    return (smooth > 0) & (distance < 1)


def _log_odds(bins: np.ndarray, guess: np.ndarray, counts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return for each pixel the log-odds that its value belongs to the figure and not to the background."""
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
    """Return each pixel's median over the frames without figure, and where the figure nearly always is."""
    kernel = np.ones((3, 3), np.uint8)
    grown = [cv2.dilate(mask.astype(np.uint8), kernel) for mask in masks]
    covered = np.stack([warp(mask, matrix) for mask, matrix in zip(grown, to_middle, strict=True)]) > 0
    seen = np.ma.masked_array(stable, np.broadcast_to(covered[..., None], stable.shape))
    is_hidden = covered.mean(0) > 0.93
    median = np.ma.median(seen, 0).filled(0)  # type: ignore[no-untyped-call]
    return np.where(is_hidden[..., None], background, median), is_hidden.astype(np.uint8)


def _features(colours: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return three 8-bit channels, GrabCut's maximum: change, brightness, and the mean of both colours."""
    brightness, green_red, blue_yellow = np.moveaxis(colours.astype(np.float32), -1, 0)
    channels = [(4 * change).clip(0, 255), brightness, (green_red + blue_yellow) / 2]
    return np.stack(channels, -1).astype(np.uint8)


def cut(features: np.ndarray, figure: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Separate figure and background in each frame by graph cut, and drop parts below 10 % of the largest.

    Args:
        features: Three channels of each pixel, uint8.
        figure: First guess of the figure.
        allowed: Pixels that can be figure.

    Shape:
        features ``(T, H, W, 3)``, figure and allowed ``(T, H, W)``, bool -> masks ``(T, H, W)``, bool.
    """
    masks = []
    seeds = np.where(allowed, np.where(figure, cv2.GC_PR_FGD, cv2.GC_PR_BGD), cv2.GC_BGD).astype(np.uint8)
    for image, labels in zip(features, seeds, strict=True):
        if len(np.unique(labels == cv2.GC_PR_FGD)) == 2:
            cv2.setRNGSeed(0)  # k-means initialises the mixtures
            background_model, figure_model = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.grabCut(image, labels, (0, 0, 1, 1), background_model, figure_model, 1, cv2.GC_INIT_WITH_MASK)
        masks.append(_largest_parts((labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD)))
    return np.stack(masks)


def _largest_parts(mask: np.ndarray) -> np.ndarray:
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = sizes[:, cv2.CC_STAT_AREA] * (np.arange(count) > 0)
    return np.isin(parts, np.flatnonzero((areas > 0) & (areas >= 0.1 * areas.max())))
