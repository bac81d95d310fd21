"""Remarks on an analysis by joints: why strokes may be missing, and what to do."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.recognition.players import NO_NAME
from tt_actions.recognition.swings import MIN_SPEED

MAX_LOST = 0.05
"""Share of the images without the player above which a remark is made."""

MIN_RATE = 0.8
"""Poses per second, relative to those of the training, below which a remark is made."""


MIN_IMAGES = 3
"""Least number of images that show a movement."""


class PoseRates(NamedTuple):
    """How often the joints are found.

    Args:
        used: Poses per second of the video.
        trained: Poses per second of the training clips.
    """

    used: float
    trained: float


def remark_on_motion(
    players: Sequence[str],
    speeds: np.ndarray,
    typical: TypicalSwing,
    has_swings: Sequence[bool],
    rates: PoseRates,
) -> tuple[str, ...]:
    """Return the reasons why strokes may be missing, one sentence or two each.

    Args:
        players: Names of the players.
        speeds: Speed of the faster hand of each player in each image, in trunk lengths per second; NaN while
            the player is not found.
        typical: The typical swing of the training clips.
        has_swings: Whether swings of each player were found.
        rates: How often the joints are found.

    Shape:
        speeds ``(P, T)``.
    """
    remarks = [remark_on_losses(player, speed) for player, speed in zip(players, speeds, strict=True)]
    remarks.append(_remark_on_rate(rates))
    remarks.append(remark_on_length(speeds.shape[1]))
    if speeds.shape[1] >= MIN_IMAGES:
        remarks += [
            _remark_on_speed(player, float(np.nanmax(speed)), typical)
            for player, speed, has_own in zip(players, speeds, has_swings, strict=True)
            if not has_own and not np.isnan(speed).all()
        ]
    return tuple(remark for remark in remarks if remark is not None)


def remark_on_other_movements(number: int) -> tuple[str, ...]:
    """Return a remark if the model took swings for something else than strokes.

    Args:
        number: Number of these swings.

    >>> remark_on_other_movements(2)
    ('Not counted as strokes: 2 fast movements of a hand, such as walking or picking up a ball.',)
    """
    if not number:
        return ()
    movements = "1 fast movement" if number == 1 else f"{number} fast movements"
    return (f"Not counted as strokes: {movements} of a hand, such as walking or picking up a ball.",)


def remark_on_losses(player: str, speed: np.ndarray) -> str | None:
    """Return a remark if a player is often not found.

    Args:
        player: Name of the player.
        speed: Speed of the hand in each image, NaN while the player is not found.

    Shape:
        speed ``(T,)``.
    """
    lost = np.isnan(speed).mean()
    name = "The player" if player == NO_NAME else player
    if lost == 1:
        return (
            f"{name} is not found in the video, and so none of their strokes. Check that their region of "
            "the picture shows them, large enough to see their arms."
        )
    if lost <= MAX_LOST:
        return None
    return f"{name} is not found in {100 * lost:.0f} % of the images, so strokes may be missing there."


def remark_on_length(num_images: int) -> str | None:
    """Return a remark if a video is too short to show a movement.

    Args:
        num_images: Number of images in which the joints were searched.

    >>> remark_on_length(1)
    'With 1 image, the video is too short to show a stroke.'
    """
    if num_images >= MIN_IMAGES:
        return None
    images = "image" if num_images == 1 else "images"
    return f"With {num_images} {images}, the video is too short to show a stroke."


def _remark_on_rate(rates: PoseRates) -> str | None:
    if rates.used >= MIN_RATE * rates.trained:
        return None
    return (
        f"The video has {rates.used:.3g} images per second, so the joints are found {rates.used:.3g} times "
        f"per second. The model expects {rates.trained:.3g}. Fast strokes may be missing; film at "
        f"{rates.trained:.3g} images per second or more."
    )


def _remark_on_speed(player: str, fastest: float, typical: TypicalSwing) -> str:
    """Say why no hand of a player made a swing."""
    least = MIN_SPEED * typical.speed
    hand = "No hand" if player == NO_NAME else f"No hand of {player}"
    if fastest < least:
        return (
            f"{hand} moved fast enough for a stroke: the fastest reached {fastest:.1f} trunk lengths per "
            f"second, and a stroke needs {least:.1f}. Check that the skeleton in the annotated video follows "
            "the player. If it does, mark the strokes with `tt-actions label` and train on them."
        )
    return (
        f"{hand} made a swing: none became much faster and then slower again. Check that the skeleton in "
        "the annotated video follows the player, and that the video shows whole strokes."
    )
