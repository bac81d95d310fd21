"""The command ``synth``."""

from pathlib import Path

from tt_actions.errors import UserError
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.player import Sport
from tt_actions.sources.synthetic.scene import World


def synth(
    *,
    out: Path,
    clips: int = 565,
    players: int = 40,
    seed: int = 0,
    rallies: int = 0,
    halls: int = 1,
    rally_seconds: float = 60.0,
    size: tuple[int, int] = (320, 240),
    depth: bool = False,
    silhouettes: bool = False,
    sport: Sport = "table_tennis",
    workers: int | None = None,
) -> None:
    """Generate synthetic strokes: videos with exact ground truth.

    Args:
        out: Folder to write to; it is created if needed.
        clips: Number of clips, each with one stroke (default: 565).
        players: Number of players (default: 40).
        seed: Random seed (default: 0).
        rallies: Number of rallies (default: 0).
        halls: Number of different halls (default: 1).
        rally_seconds: Length of a rally in seconds (default: 60).
        size: Size of the frames in pixels (default: 320x240).
        depth: Also write depth maps.
        silhouettes: Also write the players' silhouettes.
        sport: What the players play; tennis has no rallies (default: table_tennis).
        workers: Number of processes (default: one per core).

    Raises:
        UserError: If there is nothing to generate.
    """
    if clips == rallies == 0:
        raise UserError(
            "Expected clips or rallies to generate, but got 0 of both. Raise `--clips` or `--rallies`."
        )
    synthesize(
        out,
        num_clips=clips,
        num_players=players,
        seed=seed,
        size=size,
        num_rallies=rallies,
        rally_s=rally_seconds,
        world=World(halls=halls),
        depth=depth,
        silhouettes=silhouettes,
        num_workers=workers,
        sport=sport,
    )
