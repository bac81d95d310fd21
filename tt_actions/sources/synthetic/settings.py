"""Settings of a synthetic dataset, as saved in its folder."""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from tt_actions.clips.strokes import NO_STROKE
from tt_actions.errors import UserError
from tt_actions.files import write_atomically
from tt_actions.sources.synthetic.camera import Size
from tt_actions.sources.synthetic.motion import SHORTEST_CLIP_S, strokes_of
from tt_actions.sources.synthetic.player import Player, Sport, draw_player, draw_varied_player
from tt_actions.sources.synthetic.scene import Hall, World, draw_hall

EDITION = 2
"""Version of the rendering code, for changes that ``World`` does not show; files of different versions are
not mixed."""

SPREAD_EDITION = 3
"""Version of datasets with fewer clips than players times strokes: their players were numbered differently in
:data:`EDITION`. Raise both together."""

PLAYERS, CLIPS, RALLIES, HALLS, REGIONS, ERRORS = range(6)
"""Purpose of each random stream; see :meth:`Settings.rng`."""

_ABSENT: dict[str, object] = {
    "pictures": True,
    "faults": False,
    "sport": "table_tennis",
    "pauses": 0,
    "filmed": False,
}  # values of settings that older folders don't contain


@dataclass(frozen=True)
class Settings:
    """Settings of a dataset; each file depends only on these settings and its own number.

    Args:
        num_clips: Number of clips.
        num_players: Number of players.
        seed: Random seed.
        size: Width and height of the frames.
        num_rallies: Number of rallies.
        rally_s: Length of a rally in seconds.
        depth: Whether to save depth maps.
        silhouettes: Whether to save silhouettes.
        world: Ranges of the random scenes.
        pictures: Whether to render videos, or to save only the motion.
        faults: Whether three out of four strokes have a fault.
        sport: What is played.
        pauses: Number of further clips, without a stroke.
        filmed: Whether clips are cut from rallies of varied players, with the errors of a pose model.

    Raises:
        ValueError: If a number or the size is out of range.
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
    faults: bool = False
    sport: Sport = "table_tennis"
    pauses: int = 0
    filmed: bool = False

    def __post_init__(self) -> None:
        for name, minimum in (
            ("num_clips", 0),
            ("num_players", 2),
            ("seed", 0),
            ("num_rallies", 0),
            ("pauses", 0),
        ):
            if getattr(self, name) < minimum:
                raise UserError(f"Expected `{name}` to be at least {minimum}, but got {getattr(self, name)}.")
        if self.sport not in get_args(Sport):
            raise UserError(f"Expected `sport` to be one of {get_args(Sport)}, but got '{self.sport}'.")
        if self.sport == "tennis" and (self.num_rallies or self.faults):
            raise UserError(
                "Expected clips without faults for `sport` tennis, but got rallies or faults, which only "
                "table tennis has. Leave them out."
            )
        if self.filmed and (self.pictures or self.faults or self.pauses or self.sport != "table_tennis"):
            raise UserError(
                "Expected `filmed` only for joints of table tennis, without pictures, faults or pauses, but "
                "got one of these. Leave it out."
            )
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

    @property
    def total_clips(self) -> int:
        """Number of clips, with and without a stroke."""
        return self.num_clips + self.pauses

    def hall(self, rng: np.random.Generator) -> Hall:
        """Choose a random hall.

        Args:
            rng: Random generator.
        """
        number = int(rng.integers(self.world.halls))
        return draw_hall(self.rng(HALLS, number), number, self.world)

    def rng(self, stream: int, index: int) -> np.random.Generator:
        """Return the random generator of one player, clip, rally or hall.

        Args:
            stream: Which of these it is: one of the constants above.
            index: Number of the player, clip, rally or hall.
        """
        return np.random.default_rng([self.seed, stream, index])

    def player(self, index: int) -> Player:
        """Generate one of the players.

        Args:
            index: Number of the player.
        """
        draw = draw_varied_player if self.filmed else draw_player
        return replace(draw(self.rng(PLAYERS, index), f"player_{index:02d}"), sport=self.sport)

    @property
    def edition(self) -> int:
        """Version of the rendering code and of the numbering of the players."""
        return SPREAD_EDITION if self._are_few else EDITION

    @property
    def _are_few(self) -> bool:
        """Whether there are too few clips for each player to play each class."""
        return 0 < self.num_clips < self.num_players * len(strokes_of(self.sport))

    def clip(self, index: int) -> tuple[str, int]:
        """Return the class and the player number of a clip.

        They take turns, so that each player plays each class. If there are too few clips for that, each
        player still has a clip where possible, and each class has several players.

        Clips without a stroke follow the others.

        Args:
            index: Number of the clip.
        """
        if index >= self.num_clips:
            return NO_STROKE, index % self.num_players
        strokes = strokes_of(self.sport)
        number = index // len(strokes)
        if self._are_few:
            number = index + index // math.lcm(len(strokes), self.num_players)
        return strokes[index % len(strokes)], number % self.num_players


def claim_folder(out: Path, settings: Settings) -> None:
    """Save the settings of the folder, or check that the existing settings are the same.

    Args:
        out: The folder; it must exist.
        settings: Settings of the folder.

    Raises:
        ValueError: If the folder was generated with other settings.
        OSError: If the settings can't be written.
    """
    path = out / "settings.json"
    new = json.dumps(asdict(settings) | {"edition": settings.edition}, indent=2)
    if not path.exists():
        with write_atomically(path, "or choose another folder") as temporary:
            temporary.write_text(new, encoding="utf-8")
    wanted, found = _flatten(json.loads(new)), _ABSENT | _flatten(_read_settings(path))
    if wanted != found:
        names = [name for name in wanted if found.get(name) != wanted[name]]
        differences = ", ".join(f"`{name}` {found.get(name)} (now {wanted[name]})" for name in names)
        raise UserError(
            f"Expected '{out}' to be generated with the same settings, but it has {differences}. "
            "Remove the folder, or choose another."
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
            raise ValueError("they are not a mapping")
    except (OSError, ValueError) as error:
        raise UserError(
            f"Expected '{path}' to contain the settings of the folder, but got: {error}. "
            "Remove the folder, or choose another."
        ) from error
    return found
