"""The built-in synthetic dataset, used when there is no other."""

from pathlib import Path

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.source import ClipSource
from tt_actions.sources.synthetic.generate import synthesize


class SyntheticStrokes(ClipSource):
    """Synthetic clips of serve, forehand, backhand and smash, generated if missing.

    The group of a clip is its player.

    Args:
        out: Folder for the rallies.
        clips: Number of clips.
        players: Number of players.
        seed: Random seed.
        size: Width and height of the frames in pixels.
        depth: Whether to write depth maps next to each video, as needed for ``picture: depth`` or ``rgbd``.
    """

    def __init__(
        self,
        out: Path = Path("data/synthetic"),
        clips: int = 565,
        players: int = 40,
        seed: int = 0,
        size: tuple[int, int] = (320, 240),
        depth: bool = False,
    ) -> None:
        self.out = out
        self.clips = clips
        self.players = players
        self.seed = seed
        self.size = size
        self.depth = depth

    def prepare(self) -> None:
        """Generate the missing clips.

        Raises:
            ValueError: If a setting is out of range, or the folder was generated with other settings.
        """
        synthesize(self.out, self.clips, self.players, self.seed, self.size, depth=self.depth)

    def records(self) -> list[ClipRecord]:
        """List the clips, sorted by number.

        Raises:
            FileNotFoundError: If the files have not been generated; ``prepare`` generates them.
        """
        return read_manifest(self.out / "manifest.csv")
