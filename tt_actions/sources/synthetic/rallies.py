"""Synthetic rallies as untrimmed recordings, one for each visible player."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.source import ClipSource
from tt_actions.clips.strokes import Stroke
from tt_actions.sources.synthetic.generate import rally_cast, rally_path, synthesize
from tt_actions.sources.synthetic.scene import World
from tt_actions.video.types import Roi

_MARGIN = 0.12
"""Margin around the joints on each side, as a share of the region, to leave room for the racket."""
_ASPECT = 0.75


class SyntheticRallies(ClipSource):
    """Synthetic rallies of one or two players with pauses between the exchanges, generated if missing.

    Half of them show the whole table from the side; both players get a recording with the region around them.
    The others show the near player close up. Players who have met, directly or through others, are in one
    group.

    Args:
        out: Folder for the rallies.
        rallies: Number of rallies.
        seconds: Length of a rally.
        players: Number of different players. Use many; otherwise most of them end up in one group, because
            they have met directly or through others.
        halls: Number of different halls, each with its own look, lamps and camera position.
        seed: Random seed.
        size: Width and height of the frames in pixels.
    """

    is_untrimmed = True

    def __init__(
        self,
        out: Path = Path("data/rallies"),
        rallies: int = 160,
        seconds: float = 60.0,
        players: int = 1000,
        halls: int = 1,
        seed: int = 0,
        size: tuple[int, int] = (320, 240),
    ) -> None:
        self.out = out
        self.rallies = rallies
        self.seconds = seconds
        self.players = players
        self.halls = halls
        self.seed = seed
        self.size = size

    def prepare(self) -> None:
        """Generate the missing rallies.

        Raises:
            ValueError: If a setting is out of range, or the folder was generated with other settings.
        """
        synthesize(
            self.out,
            0,
            self.players,
            self.seed,
            self.size,
            num_rallies=self.rallies,
            rally_s=self.seconds,
            world=World(halls=self.halls),
        )

    def records(self) -> list[ClipRecord]:
        """List the recordings, with those of the same rally next to each other.

        Raises:
            FileNotFoundError: If the files have not been generated; ``prepare`` generates them.
        """
        casts = [rally_cast(self.players, self.seed, index) for index in range(self.rallies)]
        groups = join_groups([names for _, names in casts])
        return [
            record
            for index, ((wide, names), group) in enumerate(zip(casts, groups, strict=True))
            for record in _recordings(
                rally_path(self.out, index), len(names) if wide else 1, group, self.size
            )
        ]


def _recordings(path: Path, num_players: int, group: str, size: tuple[int, int]) -> list[ClipRecord]:
    with np.load(path.with_suffix(".npz")) as truth:
        times = (truth["stroke_start_s"], truth["stroke_end_s"], truth["stroke_contact_s"])
        strokes = [
            (player, Stroke(str(label), float(start_s), float(end_s), float(contact_s)))
            for label, player, start_s, end_s, contact_s in zip(
                truth["stroke_label"], truth["stroke_player"], *times, strict=True
            )
        ]
        joints = [truth[f"{before}joints_2d"] for before in ("", "opponent_")[:num_players]]
    return [
        ClipRecord(
            path,
            roi=player_region(joints[player], size),
            group=group,
            strokes=tuple(stroke for index, stroke in strokes if index == player),
        )
        for player in range(num_players)
    ]


def player_region(joints: np.ndarray, size: tuple[int, int]) -> Roi:
    """Return the upright region in which a player stays, similar to one drawn by hand.

    Args:
        joints: Joints of the player in pixels.
        size: Width and height of the frame.

    Shape:
        joints ``(T, V, 2)``.
    """
    inside = np.clip(joints, 0, size)
    low, high = np.percentile(inside.min(1), 2, axis=0), np.percentile(inside.max(1), 98, axis=0)
    extent = (high - low) * (1 + 2 * _MARGIN)
    height = min(max(extent[1], extent[0] / _ASPECT), size[1], size[0] / _ASPECT)
    region = np.array([height * _ASPECT, height])
    corner = np.clip((low + high) / 2 - region / 2, 0, size - region)
    (x0, y0), (x1, y1) = corner.astype(int).tolist(), (corner + region).astype(int).tolist()
    return x0, y0, x1, y1


def join_groups(meetings: Sequence[Sequence[str]]) -> list[str]:
    """Return the group of each meeting: all who have met, directly or through others, share the first's name.

    Args:
        meetings: Names of the players of each meeting.

    >>> join_groups([["a", "b"], ["c"], ["b", "d"]])
    ['a', 'c', 'a']
    """
    leader: dict[str, str] = {}
    for names in meetings:
        joined = {leader.get(name, name) for name in names}
        first = min(joined)
        leader |= dict.fromkeys(names, first)
        leader |= {name: first for name, group in leader.items() if group in joined}
    return [leader[names[0]] for names in meetings]
