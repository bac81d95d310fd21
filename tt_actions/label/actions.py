"""The actions of the page, as dictionaries from outside, checked and converted to changes of marks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tt_actions.errors import UserError
from tt_actions.label.marks import (
    Change,
    Mark,
    accept,
    check_label,
    check_within,
    find_mark,
    hold,
    merge,
    move,
    reject,
    relabel,
    split,
)
from tt_actions.label.sheet import Sheet

_TIMES = ("start_s", "contact_s", "end_s")
_LATEST_S = 1e9  # a whole number may be too large for a float


def perform(sheet: Sheet, action: Mapping[str, Any]) -> Change:
    """Return the change that an action means; empty if it changes nothing.

    ``undo`` and ``redo`` are not among the actions: see :class:`tt_actions.label.sheet.Sheet`.

    Args:
        sheet: The marks.
        action: The action: ``kind`` and what belongs to it; see
            :meth:`tt_actions.label.session.LabelSession.apply`.

    Raises:
        UserError: If the action is unknown, a value is missing, of another type or out of range, or there is
            no such mark.
    """
    kind = action.get("kind") if isinstance(action, Mapping) else None
    if not isinstance(kind, str) or kind not in _ACTIONS:
        raise UserError(
            f"Expected `kind` to be one of {', '.join(_ACTIONS)}, undo and redo, but got {kind!r}."
        )
    needed, optional, convert = _ACTIONS[kind]
    names = action.keys() - {"kind"}
    if missing := needed - names:
        raise UserError(f"Expected {_list(missing)} for the action '{kind}', but got {_list(names)}.")
    if unknown := names - needed - optional:
        raise UserError(
            f"Expected only {_list(needed | optional)} for the action '{kind}', but got {_list(unknown)}."
        )
    change = convert(sheet, action)
    return {} if all(sheet.marks.get(number) == mark for number, mark in change.items()) else change


def depends_on_names(action: Mapping[str, Any]) -> bool:
    """Return whether an action means something else after the proposals got new names.

    Args:
        action: The action: see :func:`perform`.

    >>> depends_on_names({"kind": "accept", "mark": 1}), depends_on_names({"kind": "reject", "mark": 1})
    (True, False)
    """
    kind = action.get("kind")
    return kind == "group" or (kind == "accept" and action.get("label") is None)


def _list(names: Any) -> str:
    return " and ".join(f"`{name}`" for name in sorted(names)) or "nothing"


def _mark(sheet: Sheet, action: Mapping[str, Any], name: str = "mark") -> Mark:
    number = action[name]
    if isinstance(number, bool) or not isinstance(number, int):
        raise UserError(f"Expected `{name}` to be the number of a mark, but got {number!r}.")
    return find_mark(sheet.marks, number)


def _time(action: Mapping[str, Any], name: str) -> float:
    value = action[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LATEST_S:
        raise UserError(f"Expected `{name}` to be a time in seconds, but got {value!r}.")
    return float(value)


def _contact(action: Mapping[str, Any]) -> float | None:
    return None if action["contact_s"] is None else _time(action, "contact_s")


def _text(action: Mapping[str, Any], name: str) -> str | None:
    value = action.get(name)
    if not isinstance(value, str | None):
        raise UserError(f"Expected `{name}` to be a text, but got {value!r}.")
    return value


def _player(sheet: Sheet, action: Mapping[str, Any]) -> str:
    player = _text(action, "player")
    if player not in sheet.players:
        raise UserError(f"Expected `player` to be one of {', '.join(sheet.players)}, but got {player!r}.")
    return str(player)


def _accept(sheet: Sheet, action: Mapping[str, Any]) -> Change:
    mark = _mark(sheet, action)
    name = sheet.names.get(mark.id)
    return accept(mark, _text(action, "label"), None if name is None else name.label)


def _move(sheet: Sheet, action: Mapping[str, Any]) -> Change:
    given = [name for name in _TIMES if name in action]
    times_s = {name: _contact(action) if name == "contact_s" else _time(action, name) for name in given}
    return move(_mark(sheet, action), times_s, sheet.duration_s)


def _name_group(sheet: Sheet, action: Mapping[str, Any]) -> Change:
    """Give all proposed marks of one name another; each is still to be checked."""
    group, label = _text(action, "group"), _text(action, "label") or ""
    change: dict[int, Mark | None] = {}
    for mark in sheet.marks.values():
        name = sheet.names.get(mark.id)
        if mark.status == "proposed" and group == (mark.label or (name and name.label)):
            change.update(relabel(mark, label))
    if not change:
        raise UserError(f"Expected `group` to be the name of a stroke to check, but got {group!r}.")
    return change


def _add(sheet: Sheet, action: Mapping[str, Any]) -> Change:
    label = _text(action, "label")
    mark = Mark(
        sheet.next_id,
        _player(sheet, action),
        _time(action, "start_s"),
        _time(action, "end_s"),
        _contact(action) if "contact_s" in action else None,
        None if label is None else check_label(label),
        "proposed" if label is None else "accepted",
    )
    return {mark.id: check_within(mark, sheet.duration_s)}


def _change_player(sheet: Sheet, action: Mapping[str, Any]) -> Change:
    mark = _mark(sheet, action)
    return {mark.id: replace(mark, player=_player(sheet, action))}


_Convert = Callable[[Sheet, Mapping[str, Any]], Change]
_ACTIONS: dict[str, tuple[set[str], set[str], _Convert]] = {
    "accept": ({"mark"}, {"label"}, _accept),
    "reject": ({"mark"}, set(), lambda sheet, action: reject(_mark(sheet, action))),
    "label": (
        {"mark", "label"},
        set(),
        lambda sheet, action: relabel(_mark(sheet, action), _text(action, "label") or ""),
    ),
    "group": ({"group", "label"}, set(), _name_group),
    "move": ({"mark"}, set(_TIMES), _move),
    "split": (
        {"mark", "time_s"},
        set(),
        lambda sheet, action: split(_mark(sheet, action), _time(action, "time_s"), sheet.next_id),
    ),
    "merge": (
        {"mark", "other"},
        set(),
        lambda sheet, action: merge(_mark(sheet, action), _mark(sheet, action, "other")),
    ),
    "add": ({"player", "start_s", "end_s"}, {"contact_s", "label"}, _add),
    "player": ({"mark", "player"}, set(), _change_player),
    "hand": (
        {"mark", "hand"},
        set(),
        lambda sheet, action: hold(_mark(sheet, action), _text(action, "hand")),
    ),
}
