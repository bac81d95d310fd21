"""What a data set of synthetic strokes is made with, as its folder keeps it."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tt_actions.clips.strokes import STROKES
from tt_actions.errors import UserError
from tt_actions.files import write_atomically
from tt_actions.sources.synthetic.camera import Size
from tt_actions.sources.synthetic.motion import SHORTEST_CLIP_S
from tt_actions.sources.synthetic.player import Player, draw_player
from tt_actions.sources.synthetic.scene import Hall, World, draw_hall

EDITION = 2
"""Version of the rendering code, for changes that ``World`` does not show; files of different versions are
not mixed."""

PLAYERS, CLIPS, RALLIES, HALLS, REGIONS = range(5)
"""What each stream of chance is for: see :meth:`Settings.rng`."""

_ABSENT: dict[str, object] = {"pictures": True, "faults": False}  # what older folders do not tell


@dataclass(frozen=True)
class Settings:
    """Settings of a dataset; each file depends only on these settings and its own number.

    Args:
        num_clips: Number of clips.
        num_players: Number of players.
        seed: Random seed.
        size: Width and height of the pictures.
        num_rallies: Number of rallies.
        rally_s: Length of a rally in seconds.
        depth: Whether depth maps are kept.
        silhouettes: Whether silhouettes are kept.
        world: What scenes are drawn from.
        pictures: Whether videos are drawn, or what moves is kept alone.
        edition: Of the drawing.
        faults: Whether three strokes in four have a fault.

    Raises:
        ValueError: If a number or the size is out of its range.
    """

    num_clips: int
    num_players: int
    seed: int
    size: Size
    num_rallies: int
    rally_s: float
    depth: bool
    silhouettes: bool
    world: World
    pictures: bool = True
    edition: int = EDITION
    faults: bool = False

    def __post_init__(self) -> None:
        for name, least in (("num_clips", 0), ("num_players", 2), ("seed", 0), ("num_rallies", 0)):
            if getattr(self, name) < least:
                raise UserError(f"Expected `{name}` to be at least {least}, but got {getattr(self, name)}.")
        if self.world.halls < 1:
            raise UserError(f"Expected `halls` to be at least 1, but got {self.world.halls}.")
        if not SHORTEST_CLIP_S + 1 <= self.rally_s < math.inf:
            raise UserError(
                f"Expected `--rally-seconds` (`rally_s`) to be at least {SHORTEST_CLIP_S + 1:g} seconds, "
                f"but got {self.rally_s}."
            )
        width, height = self.size
        if not (160 <= width <= 1280 and 120 <= height <= 720) or width % 2 or height % 2:
            raise UserError(
                f"Expected `size` to be even numbers from 160x120 to 1280x720, but got {width}x{height}."
            )

    def hall(self, rng: np.random.Generator) -> Hall:
        """Choose one of the halls.

        Args:
            rng: Where the choice comes from.
        """
        number = int(rng.integers(self.world.halls))
        return draw_hall(self.rng(HALLS, number), number, self.world)

    def rng(self, stream: int, index: int) -> np.random.Generator:
        """Return the random generator of one player, clip, rally or hall.

        Args:
            stream: Which of these it is.
            index: Its number.
        """
        return np.random.default_rng([self.seed, stream, index])

    def player(self, index: int) -> Player:
        """Generate one of the players.

        Args:
            index: The player's number.
        """
        return draw_player(self.rng(PLAYERS, index), f"player_{index:02d}")

    def clip(self, index: int) -> tuple[str, int]:
        """Return the class and the player number of a clip; both alternate, so that every player plays every
        class.

        Args:
            index: The clip's number.
        """
        return STROKES[index % len(STROKES)], index // len(STROKES) % self.num_players


def claim_folder(out: Path, settings: Settings) -> None:
    """Save the settings of the folder, or check that the existing settings are the same.

    Args:
        out: The folder, which exists.
        settings: What it is made with.

    Raises:
        ValueError: If it was made with other settings.
        OSError: If they can't be written.
    """
    path = out / "settings.json"
    new = json.dumps(asdict(settings), indent=2)
    if not path.exists():
        with write_atomically(path, "or choose another folder") as temporary:
            temporary.write_text(new, encoding="utf-8")
    wanted, found = _flatten(json.loads(new)), _ABSENT | _flatten(_read_settings(path))
    if wanted != found:
        names = [name for name in wanted if found.get(name) != wanted[name]]
        told = ", ".join(f"`{name}` {found.get(name)} (now {wanted[name]})" for name in names)
        raise UserError(
            f"Expected '{out}' to be made with the same settings, but it was made with {told}. "
            "Remove the folder or choose another."
        )


def _flatten(settings: dict[str, object]) -> dict[str, object]:
    """Merge the settings of the world with the other settings."""
    world = settings.get("world")
    rest = {name: value for name, value in settings.items() if name != "world"}
    return rest | (world if isinstance(world, dict) else {})


def _read_settings(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("they are no mapping")
    except (OSError, ValueError) as error:
        raise UserError(
            f"Expected '{path}' to hold the settings that the folder was made with, but got: {error}. "
            "Remove the folder or choose another."
        ) from error
    return found
