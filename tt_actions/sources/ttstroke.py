"""Actions in the XML files of TTStroke-21."""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from reprlib import repr as shortened
from typing import NamedTuple
from xml.etree import ElementTree

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.sources.annotations import Annotation, coarse_class, find_words, read_file

_KINDS = ("serve", "offensive", "defensive")
_HANDS = ("forehand", "backhand")
_TECHNIQUES = ("backspin", "loop", "sidespin", "topspin", "hit", "flip", "push", "block", "smash")
_NO_STROKE = ("negative", "none")
_VOCABULARY = {*_KINDS, *_HANDS, *_TECHNIQUES, *_NO_STROKE}


class _Action(NamedTuple):
    begin: int
    end: int
    move: str


class _Builder(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        raise ValueError(f"it declares a document type, '{name}'")


def read_moves(path: Path, fps: float, fine: bool = False) -> Annotation:
    """Read the strokes of the only player in a video.

    A move is a kind, a hand and a technique, such as ``Offensive Backhand Hit``, or ``Negative`` or ``None``
    if nothing is played. Case, plurals and the separators between words are ignored. Any other move is not a
    stroke and is reported as unknown.

    Args:
        path: The file: ``<video><action begin="frame" end="frame" move="..."/>...</video>``.
        fps: Frame rate of the video; the file contains frame numbers.
        fine: Whether to use the full name of a stroke instead of the four basic strokes.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file can't be read.
        ValueError: If it is not such an XML file, has no annotations, or contains overlapping actions.
    """
    strokes: list[Stroke] = []
    unknown: dict[str, list[int]] = defaultdict(list)
    for action in _read_actions(path):
        words = find_words(action.move, _VOCABULARY)
        parts = zip(words, (_KINDS, _HANDS, _TECHNIQUES), strict=False)
        if len(words) == 3 and all(word in names for word, names in parts):
            name = " ".join(words).title() if fine else coarse_class(words)
            strokes.append(Stroke(name, action.begin / fps, action.end / fps))
        elif not (len(words) == 1 and words[0] in _NO_STROKE):
            unknown[action.move].append(action.begin)
    return Annotation({None: strokes}, dict(unknown))


def _read_actions(path: Path) -> list[_Action]:
    actions = sorted(_read_action(path, element) for element in _parse(path))
    if not actions:
        raise UserError(
            f"Expected actions in '{path}', but it has none (as in the published test files). Exclude the "
            "file, or add an action with the move `Negative` if the video really contains no strokes."
        )
    for one, other in pairwise(actions):
        if other.begin < one.end:
            raise UserError(
                f"Expected actions of '{path}' that don't overlap, but got '{one.move}' in frames "
                f"{one.begin} to {one.end} and '{other.move}' in {other.begin} to {other.end}. Correct them."
            )
    return actions


def _parse(path: Path) -> Iterable[ElementTree.Element]:
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - the builder refuses document types, and with them entities
    content = read_file(path)
    try:
        parser.feed(content)
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"Expected '{path}' to be a plain XML file, but got: {error}.") from error
    return root


def _read_action(path: Path, element: ElementTree.Element) -> _Action:
    begin, end, move = (element.get(name, "") for name in ("begin", "end", "move"))
    is_numbered = all(re.fullmatch("[0-9]{1,9}", number) for number in (begin, end))
    if element.tag != "action" or not move or not is_numbered or int(begin) >= int(end):
        raise UserError(
            f"Expected every element in '{path}' to be an `action` with the frames `begin` < `end` and a "
            f"`move`, but got `{element.tag}` with {shortened(element.attrib)}."
        )
    return _Action(int(begin), int(end), move)
