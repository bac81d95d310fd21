"""The networks of the package that name strokes without any label: they are trained on drawn strokes."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from tt_actions.errors import UserError

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

NamedSport = Literal["table_tennis", "tennis"]
"""A sport whose strokes the package can name."""

FOLDER = Path(__file__).parent / "names"
"""Folder of the checkpoints, one per sport; ``make names`` writes them."""

REMARK = (
    "The names come from a network that has seen drawn strokes only. Check them, or train a model on your "
    "own labelled strokes."
)
"""Remark on an analysis with such a network."""


def names_checkpoint(sport: NamedSport) -> Path:
    """Return the checkpoint that names the strokes of a sport.

    Args:
        sport: The sport.

    Raises:
        UserError: If there is none for the sport.
    """
    if sport not in get_args(NamedSport):
        raise UserError(f"Expected `sport` to be one of {get_args(NamedSport)}, but got '{sport}'.")
    return FOLDER / f"{sport}.ckpt"


def load_names(sport: NamedSport) -> "Recognizer":
    """Load the network that names the strokes of a sport; no label and no training is needed.

    It reads joints and knows the typical swing, so it finds and names the strokes in a match, and names the
    stroke of a clip. Its names are less reliable than those of a model that was trained on your own clips.

    Args:
        sport: ``table_tennis`` for serve, forehand, backhand and smash; ``tennis`` also for volley. Both know
            movements that are no strokes.

    Raises:
        UserError: If there is no network for the sport.

    >>> load_names("tennis").class_names
    ('backhand', 'forehand', 'no_stroke', 'serve', 'smash', 'volley')
    """
    from tt_actions.recognition.loading import load

    return load(names_checkpoint(sport))
