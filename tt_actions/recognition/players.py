"""Where the players of a video are: a region and a name for each."""

from collections.abc import Sequence
from typing import NamedTuple

from tt_actions.errors import UserError
from tt_actions.video.types import Roi


class PlayerTrack(NamedTuple):
    """One player's part of the picture.

    Args:
        name: What the player is called.
        roi: Region (x0, y0, x1, y1) in pixels of the upright picture, or None for all.
    """

    name: str
    roi: Roi | None


def lay_tracks(names: Sequence[str], rois: Sequence[Roi], width: int, height: int) -> tuple[PlayerTrack, ...]:
    """Share the picture out among the players.

    With a region for each player every one has their own. Else the region, or the picture, is cut into as
    many upright parts of one width, the first player's at the left.

    Args:
        names: The players' names, in the order of the regions or from left to right; empty for one
            ``player``, or with several regions ``player_1`` and so on.
        rois: Regions in pixels of the upright picture: none, one, or one for each player.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Returns:
        The players' parts.

    Raises:
        ValueError: If a name is double, or the regions don't go with the names.

    >>> lay_tracks(["left", "right"], [], 1280, 720)
    (PlayerTrack(name='left', roi=(0, 0, 640, 720)), PlayerTrack(name='right', roi=(640, 0, 1280, 720)))
    """
    if not names:
        names = ["player"] if len(rois) < 2 else [f"player_{i + 1}" for i in range(len(rois))]
    if len(set(names)) < len(names) or len(rois) not in (0, 1, len(names)):
        raise UserError(
            f"Expected `players` with different names, and no region, one, or one for each of them, but got "
            f"{', '.join(names)} and {len(rois)} regions."
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
            "Name fewer players, or give each their own `roi`."
        )
    return tuple(
        PlayerTrack(name, (left, y0, right, y1))
        for name, left, right in zip(names, edges, edges[1:], strict=False)
    )
