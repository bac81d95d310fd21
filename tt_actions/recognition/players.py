"""The players of a video: a name and a region for each."""

from collections.abc import Sequence
from typing import NamedTuple

from tt_actions.errors import UserError
from tt_actions.video.types import Roi

NO_NAME = "player"
"""Name of a player who is alone and has no other name."""


class PlayerTrack(NamedTuple):
    """The name and region of a player.

    Args:
        name: Name of the player.
        roi: Region (x0, y0, x1, y1) in pixels of the upright frame, or None for the whole frame.
    """

    name: str
    roi: Roi | None


def lay_tracks(names: Sequence[str], rois: Sequence[Roi], width: int, height: int) -> tuple[PlayerTrack, ...]:
    """Divide the frame among the players.

    With one region per player, each player gets theirs. Otherwise the region, or the whole frame, is cut into
    vertical strips of equal width, one per player from left to right.

    Args:
        names: The players' names, in the order of the regions or from left to right. Empty for one player
            called ``player``, or with several regions for ``player_1``, ``player_2`` and so on.
        rois: Regions in pixels of the upright frame: none, one, or one per player.
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.

    Returns:
        The name and region of each player.

    Raises:
        ValueError: If a name appears twice, or the regions don't match the names.

    >>> lay_tracks(["left", "right"], [], 1280, 720)
    (PlayerTrack(name='left', roi=(0, 0, 640, 720)), PlayerTrack(name='right', roi=(640, 0, 1280, 720)))
    """
    if isinstance(names, str):  # a sequence too, of its letters
        names = [names]
    if not names:
        names = [NO_NAME] if len(rois) < 2 else [f"player_{i + 1}" for i in range(len(rois))]
    if len(set(names)) < len(names) or len(rois) not in (0, 1, len(names)):
        raise UserError(
            "Expected `players` with different names, and no region, one region, or one region per player, "
            f"but got {', '.join(names)} and {len(rois)} regions."
        )
    if len(rois) == len(names):
        return tuple(PlayerTrack(name, roi) for name, roi in zip(names, rois, strict=True))
    if len(names) == 1:
        return (PlayerTrack(names[0], None),)
    x0, y0, x1, y1 = rois[0] if rois else (0, 0, width, height)
    edges = [x0 + (x1 - x0) * i // len(names) for i in range(len(names) + 1)]
    if len(set(edges)) < len(edges):
        raise UserError(
            f"Expected a region wide enough for {len(names)} players, but got {x1 - x0} pixels. "
            "Use fewer players, or give each player a `roi`."
        )
    return tuple(
        PlayerTrack(name, (left, y0, right, y1))
        for name, left, right in zip(names, edges, edges[1:], strict=False)
    )
