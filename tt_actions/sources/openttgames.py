"""Events of the OpenTTGames recordings, with the stroke names of the extended annotations."""

import json
import re
from collections import defaultdict
from itertools import product
from pathlib import Path
from reprlib import repr as shortened
from typing import NamedTuple

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.sources.annotations import Annotation, coarse_class, find_words, read_file, spans_around

FPS = 120
"""Frame rate of the recordings; events are given as frame numbers."""

SIDES = ("left", "right")
"""The players, named by their side of the frame."""

_HANDS = ("forehand", "backhand")
_TECHNIQUES = ("serve", "loop", "block", "push", "flick", "lob", "chop", "smash")
_LEANS = ("neutral", "back heavy", "front heavy", "left leaning", "right leaning", "unknown")
_FEET = ("both feet planted", "both feet lifted", "left foot lifted", "right foot lifted", "unknown")
_ENDINGS = ("net", "out", "winner", "double bounce", "miss on own side", "not hitting ball")

_POSTURES = {"", *_LEANS, *map(" ".join, product(_LEANS, _FEET))}
_OTHERS = {"bounce", "net", "empty event", *map(" ".join, product(SIDES, _ENDINGS))}
_VOCABULARY = {
    *SIDES,
    *_HANDS,
    *_TECHNIQUES,
    *(word for name in (*_POSTURES, *_OTHERS) for word in name.split()),
}


class _Event(NamedTuple):
    """The meaning of a label: player and stroke, or None, and whether the whole label is understood."""

    stroke: tuple[str, str, str] | None
    is_understood: bool


def read_events(path: Path, before_s: float, after_s: float, fine: bool = False) -> Annotation:
    """Read the strokes of both players from a file ``events_markup*.json``.

    A label is ``side_hand_technique``, optionally with words for the posture, or ``bounce``, ``net``,
    ``empty_event`` or ``side_ending``. Case, plurals and the separators between words are ignored. A label
    with a misspelt posture still counts as a stroke. Any other label that is not understood does not. Both
    are reported as unknown.

    Args:
        path: The file, a JSON object that maps frame numbers to labels.
        before_s: Seconds from the start of a stroke to its contact; the file lists the frames of contacts.
        after_s: Seconds from the contact of a stroke to its end.
        fine: Whether to name a stroke by hand and technique, such as ``forehand_loop``, instead of the four
            basic strokes.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file can't be read.
        ValueError: If it is not such a JSON file, or contains a frame number twice.
    """
    contacts: dict[str, list[tuple[float, str]]] = {side: [] for side in SIDES}
    unknown: dict[str, list[int]] = defaultdict(list)
    for frame, label in sorted(_load(path).items()):
        event = _parse(label)
        if not event.is_understood:
            unknown[label].append(frame)
        if event.stroke:
            side, *words = event.stroke
            contacts[side].append((frame / FPS, "_".join(words) if fine else coarse_class(words)))
    strokes: dict[str | None, list[Stroke]] = {}
    for side, played in contacts.items():
        spans = spans_around([contact_s for contact_s, _ in played], before_s, after_s)
        strokes[side] = [
            Stroke(name, start_s, end_s, contact_s, player=side)
            for (contact_s, name), (start_s, end_s) in zip(played, spans, strict=True)
        ]
    return Annotation(strokes, dict(unknown))


def _parse(label: str) -> _Event:
    words = find_words(label, _VOCABULARY)
    if len(words) >= 3 and words[0] in SIDES and words[1] in _HANDS and words[2] in _TECHNIQUES:
        return _Event((words[0], words[1], words[2]), " ".join(words[3:]) in _POSTURES)
    return _Event(None, " ".join(words) in _OTHERS)


def _load(path: Path) -> dict[int, str]:
    try:
        pairs = json.loads(read_file(path), object_pairs_hook=tuple)  # a dict would hide duplicate keys
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"Expected '{path}' to be a JSON file in UTF-8, but got: {error}.") from error
    except RecursionError as error:
        raise UserError(f"Expected '{path}' to be a plain JSON object, but it is nested deeply.") from error
    if not isinstance(pairs, tuple):
        raise UserError(
            f"Expected '{path}' to be a JSON object from frame number to event, but got {shortened(pairs)}."
        )
    events: dict[int, str] = {}
    for frame, label in pairs:
        if not re.fullmatch("[0-9]{1,9}", frame) or not isinstance(label, str):
            raise UserError(
                f"Expected the name of an event for each frame number of '{path}', but got "
                f"{shortened(label)} for {shortened(frame)}. Use an `events_markup` file."
            )
        if int(frame) in events:
            raise UserError(
                f"Expected each frame once in '{path}', but got {int(frame)} twice. Remove one of its events."
            )
        events[int(frame)] = label
    return events
