"""Synthetic strokes as joints, racket and ball only; without rendering, hundreds take seconds."""

from pathlib import Path

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.source import ClipSource
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.scene import World


class SyntheticSkeletons(ClipSource):
    """Synthetic serves, forehands, backhands and smashes as 3D and image joints, with racket and ball.

    The group of a clip is its player. Each file is the same ``.npz`` as next to the videos of
    ``SyntheticStrokes``. The camera position differs between the halls.

    Args:
        out: Folder for the rallies.
        clips: Number of clips.
        players: Number of players.
        seed: Random seed.
        halls: Number of halls, each with its own camera position.
        faults: Whether three out of four strokes have a fault of a known kind and size.
    """

    def __init__(
        self,
        out: Path = Path("data/skeletons"),
        clips: int = 1200,
        players: int = 300,
        seed: int = 0,
        halls: int = 40,
        faults: bool = False,
    ) -> None:
        self.faults = faults
        self.out, self.clips, self.players, self.seed, self.halls = out, clips, players, seed, halls

    def prepare(self) -> None:
        """Generate the missing clips.

        Raises:
            ValueError: If a setting is out of range, or the folder was generated with other settings.
        """
        world = World(halls=self.halls)
        synthesize(
            self.out, self.clips, self.players, self.seed, world=world, pictures=False, faults=self.faults
        )

    def records(self) -> list[ClipRecord]:
        """List the clips, sorted by number.

        Raises:
            FileNotFoundError: If the files have not been generated; ``prepare`` generates them.
        """
        return read_manifest(self.out / "manifest.csv")
