"""Synthetic strokes as joints, racket and ball only; without rendering, hundreds take seconds."""

from pathlib import Path

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.source import ClipSource
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.scene import World


class SyntheticSkeletons(ClipSource):
    """Synthetic serves, forehands, backhands and smashes as 3D and image joints, with racket and ball.

    By default, clips are as from real video. A stroke is cut from a rally around its contact, and parts of
    the strokes beside it may be visible. Players differ widely, and three of ten are left-handed. Cameras
    film from all sides, and the joints have the errors of a pose model. The group of a clip is its player.
    Each file is the same ``.npz`` as next to the videos of ``SyntheticStrokes``, with the exact joints beside
    the others: see :func:`tt_actions.sources.synthetic.generate.synthesize`.

    Args:
        out: Folder for the rallies.
        clips: Number of clips.
        players: Number of players.
        seed: Random seed.
        halls: Number of halls, each with its own camera position.
        faults: Whether three out of four strokes have a fault of a known kind and size.
        filmed: Whether clips are as from real video. Otherwise, and with ``faults``, each clip shows one
            whole stroke with exact joints.
    """

    def __init__(
        self,
        out: Path = Path("data/skeletons"),
        clips: int = 1200,
        players: int = 300,
        seed: int = 0,
        halls: int = 40,
        faults: bool = False,
        filmed: bool = True,
    ) -> None:
        self.faults, self.filmed = faults, filmed and not faults
        self.out, self.clips, self.players, self.seed, self.halls = out, clips, players, seed, halls

    def prepare(self) -> None:
        """Generate the missing clips.

        Raises:
            ValueError: If a setting is out of range, or the folder was generated with other settings.
        """
        synthesize(
            self.out,
            self.clips,
            self.players,
            self.seed,
            world=_all_around(self.halls) if self.filmed else World(halls=self.halls),
            pictures=False,
            faults=self.faults,
            filmed=self.filmed,
        )

    def records(self) -> list[ClipRecord]:
        """List the clips, sorted by number.

        Raises:
            FileNotFoundError: If the files have not been generated; ``prepare`` generates them.
        """
        return read_manifest(self.out / "manifest.csv")


def _all_around(halls: int) -> World:
    """Return a world whose cameras are in front of the player, behind or beside, low or high, near or far."""
    return World(
        halls=halls,
        wide_share=0.0,
        opponent_share=0.0,
        azimuth_deg=(5.0, 175.0),
        azimuth_jitter_deg=6.0,
        distance_m=(2.8, 8.0),
        height_m=(0.9, 3.2),
    )
