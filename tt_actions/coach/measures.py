"""What a coach measures in a stroke, and the words for too much and too little of it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from tt_actions.coach.phases import hand_of, hand_speed
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion

Unit = Literal["degrees", "turn", "length", "ms", "speed"]
"""A turn is in degrees, and its size counts whichever way the references turn; a length is in lengths of the
trunk, a speed in such a second."""

Phase = Literal["backswing", "contact", "follow_through"]


class Measure(NamedTuple):
    """One number of a stroke.

    Args:
        name: Unique.
        cause: What a coach would correct: the measures of one cause make one finding. Empty for what is only
            shown: how high the ball comes, say, is nobody's fault.
        phase: When it is read.
        unit: What it is in.
        read: Reads it; None where the layout's joints don't show it.
        joint: What it is told of.
        more: Words for a higher value than the references have.
        less: Words for a lower one.
        sign: -1 if it is low where the others of its cause are high.
        counts: Whether a finding rests on it; if not, it only tells the size.
    """

    name: str
    cause: str
    phase: Phase
    unit: Unit
    read: Callable[[StrokeMotion], float | None]
    joint: str
    more: str
    less: str
    sign: int = 1
    counts: bool = True


class Advice(NamedTuple):
    """What to change.

    Args:
        if_high: Where the measures of a cause are too high.
        if_low: Where they are too low.
    """

    if_high: str
    if_low: str


ADVICE = {
    "contact_point": Advice(
        "let the ball come nearer", "meet the ball earlier, further in front of the body"
    ),
    "elbow": Advice("bend it more", "straighten it"),
    "elbow_height": Advice("let the elbow hang nearer to the body", "lift the elbow away from the body"),
    "backswing": Advice("take the racket back less", "take the racket further back"),
    "follow_through": Advice("end the swing sooner", "let the arm swing on after contact"),
    "trunk_turn": Advice("turn the trunk less", "turn the shoulders back first, then into the ball"),
    "lean": Advice("stand more upright", "lean forward over the toes"),
    "tempo": Advice("swing faster into the ball", "take more time for the swing"),
    "toss": Advice("toss the ball lower", "toss the ball higher, and lift the hand with it"),
    "feet": Advice("turn the feet further to the right", "turn the feet further to the left"),
    "stance": Advice("set the feet nearer together", "set the feet wider apart"),
    "knees": Advice("bend the knees more", "stand up a little"),
}
"""What to change, by cause; feet as a right-hander's."""

SPANS = (
    "backswing_sweep", "follow_sweep", "follow_time", "turn_forward", "turn_on", "swing_time", "hand_speed",
    "toss_time", "toss_height",
)  # fmt: skip
"""Measures that are not of one moment."""


def angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    """Return the angle between two directions, in degrees.

    Args:
        first: One.
        second: The other.

    >>> round(angle_deg(np.array([1.0, 0.0]), np.array([1.0, 1.0])))
    45
    """
    length = max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9)
    return float(np.degrees(np.arccos(np.clip(first @ second / length, -1, 1))))


def at(stroke: StrokeMotion, phase: Phase, joint: str) -> np.ndarray:
    """Return where a joint is at a phase.

    Args:
        stroke: The stroke.
        phase: Which.
        joint: Its name; ``hand`` for the playing one, ``hips`` and ``shoulders`` for their middles.

    Shape:
        ``(C,)``.
    """
    middles = {"hips": stroke.layout.hips, "shoulders": stroke.layout.shoulders}
    names = middles.get(joint, (hand_of(stroke.layout, "right") if joint == "hand" else joint,))
    return np.asarray(stroke.place(*names)[getattr(stroke.phases, phase)])


def _behind(stroke: StrokeMotion) -> float:
    """How far the hand is behind the hips at the end of the backswing."""
    way = at(stroke, "backswing", "hand") - at(stroke, "backswing", "hips")
    return float(way[2] if len(way) == 3 else -way[0])


def _elbow(stroke: StrokeMotion, phase: Phase) -> float:
    elbow = at(stroke, phase, "right_elbow")
    end = "right_wrist" if "right_wrist" in stroke.layout.joints else "right_hand"
    return angle_deg(at(stroke, phase, "right_shoulder") - elbow, at(stroke, phase, end) - elbow)


def _upper_arm(stroke: StrokeMotion, phase: Phase) -> float:
    arm = at(stroke, phase, "right_elbow") - at(stroke, phase, "right_shoulder")
    return angle_deg(arm, at(stroke, phase, "hips") - at(stroke, phase, "shoulders"))


def _elbow_height(stroke: StrokeMotion, phase: Phase) -> float:
    return float((at(stroke, phase, "right_elbow") - at(stroke, phase, "right_shoulder"))[1])


def _ahead(stroke: StrokeMotion) -> float:
    """Where the straight arm points at contact: 90 degrees are to the front, 0 to the side.

    In a picture, 0 is up.
    """
    way = at(stroke, "contact", "hand") - at(stroke, "contact", "right_shoulder")
    ahead, aside = (-way[2], abs(way[0])) if len(way) == 3 else (way[0], abs(way[1]))
    return float(np.degrees(np.arctan2(ahead, aside)))


def _height(stroke: StrokeMotion, phase: Phase) -> float:
    return float((at(stroke, phase, "hand") - at(stroke, phase, "hips"))[1])


def _yaw(stroke: StrokeMotion, phase: Phase, pair: tuple[str, str]) -> float:
    """Turn to the left, in degrees, of the line between two joints."""
    across = at(stroke, phase, pair[0]) - at(stroke, phase, pair[1])
    return float(np.degrees(np.arctan2(across[2], -across[0])))


def _turn(stroke: StrokeMotion, begin: Phase, end: Phase) -> float | None:
    if stroke.layout.num_coordinates == 2:
        return None
    turn = _yaw(stroke, end, stroke.layout.shoulders) - _yaw(stroke, begin, stroke.layout.shoulders)
    return (turn + 180) % 360 - 180


def _lean(stroke: StrokeMotion, phase: Phase) -> float:
    """Lean forward, in degrees."""
    trunk = at(stroke, phase, "shoulders") - at(stroke, phase, "hips")
    return float(np.degrees(np.arctan2(-trunk[2] if len(trunk) == 3 else trunk[0], trunk[1])))


def _knees(stroke: StrokeMotion, phase: Phase) -> float:
    ends = "ankle" if "left_ankle" in stroke.layout.joints else "foot"
    angles = []
    for side in ("left", "right"):
        knee = at(stroke, phase, f"{side}_knee")
        hip, end = at(stroke, phase, f"{side}_hip"), at(stroke, phase, f"{side}_{ends}")
        angles.append(angle_deg(hip - knee, end - knee))
    return float(np.mean(angles))


def _stance(stroke: StrokeMotion) -> float:
    ends = "ankle" if "left_ankle" in stroke.layout.joints else "foot"
    apart = at(stroke, "contact", f"left_{ends}") - at(stroke, "contact", f"right_{ends}")
    return float(np.hypot(apart[0], apart[2]) if len(apart) == 3 else abs(apart[0]))


def _feet(stroke: StrokeMotion) -> float | None:
    """Turn of the feet to the left, in degrees: where they point."""
    joints = stroke.layout.joints
    if stroke.layout.num_coordinates == 2 or not {"left_ankle", "left_foot"} <= set(joints):
        return None
    ways = [
        at(stroke, "contact", f"{s}_foot") - at(stroke, "contact", f"{s}_ankle") for s in ("left", "right")
    ]
    along = np.sum([way / max(float(np.hypot(way[0], way[2])), 1e-9) for way in ways], axis=0)
    return float(np.degrees(np.arctan2(-along[0], -along[2])))


def _sweep(stroke: StrokeMotion, begin: Phase, end: Phase) -> float:
    """The angle between where the playing hand is first and last, seen from the shoulder."""
    first, last = (at(stroke, phase, "hand") - at(stroke, phase, "right_shoulder") for phase in (begin, end))
    return angle_deg(first, last)


def _lasts_ms(stroke: StrokeMotion, begin: Phase, end: Phase) -> float:
    return 1000 * float(getattr(stroke.phases, end) - getattr(stroke.phases, begin)) / RATE_HZ


def _speed(stroke: StrokeMotion) -> float:
    return float(hand_speed(stroke.joints, stroke.layout, "right", RATE_HZ)[stroke.phases.contact])


def _toss(stroke: StrokeMotion) -> tuple[float, float]:
    """How long before contact the free hand rises fastest, in ms, and how high it comes, over the hips."""
    first = max(0, stroke.phases.contact - round(1.2 * RATE_HZ))
    part = slice(first, stroke.phases.contact + 1)
    height = stroke.place(hand_of(stroke.layout, "left"))[part, 1]
    rise = np.gradient(height)
    over = height - stroke.place(*stroke.layout.hips)[part, 1]
    return 1000 * (len(rise) - 1 - int(rise.argmax())) / RATE_HZ, float(over.max())


def is_serve(label: str) -> bool:
    """Whether the player tosses the ball in strokes of a class.

    Args:
        label: The class's name.

    >>> is_serve("serve"), is_serve("serviceflat"), is_serve("smash")
    (True, True, False)
    """
    return "serv" in label.lower()


def _distance(stroke: StrokeMotion) -> float:
    """How far the hand is in front of the shoulder at contact."""
    way = at(stroke, "contact", "hand") - at(stroke, "contact", "right_shoulder")
    return float(-way[2] if len(way) == 3 else way[0])


_B: Phase = "backswing"
_C: Phase = "contact"
_F: Phase = "follow_through"
_BENT = ("elbow", "straighter", "more bent")
_LEANT = ("trunk", "leant further forward", "leant further back")
_LONG = ("longer", "shorter")
_HIGH = ("higher", "lower")
_FAST = ("playing hand", "faster", "slower")
_TURN_IN = ("turn of the trunk into the ball", "larger", "smaller")
_TURN_ON = ("turn of the trunk after contact", "larger", "smaller")
_AHEAD = ("contact point", "further in front", "further behind")
_FAR = ("racket", "further back", "less far back")
_BACK = ("swing into the ball", "longer", "shorter")
_ON = ("follow-through", *_LONG)

_MEASURES = (
    Measure("contact_ahead", "contact_point", _C, "degrees", _ahead, *_AHEAD),
    Measure("contact_distance", "contact_point", _C, "length", _distance, *_AHEAD, counts=False),
    Measure("elbow_backswing", "elbow", _B, "degrees", lambda s: _elbow(s, _B), *_BENT),
    Measure("elbow_contact", "elbow", _C, "degrees", lambda s: _elbow(s, _C), *_BENT),
    Measure("elbow_follow_through", "elbow", _F, "degrees", lambda s: _elbow(s, _F), *_BENT),
    Measure("elbow_height", "elbow_height", _C, "length", lambda s: _elbow_height(s, _C), "elbow", *_HIGH),
    Measure("upper_arm", "elbow_height", _C, "degrees", lambda s: _upper_arm(s, _C), "upper arm", *_HIGH),
    Measure("backswing_sweep", "backswing", _B, "degrees", lambda s: _sweep(s, _B, _C), *_BACK),
    Measure("backswing_depth", "backswing", _B, "length", _behind, *_FAR),
    Measure("follow_sweep", "follow_through", _F, "degrees", lambda s: _sweep(s, _C, _F), *_ON),
    Measure("follow_time", "follow_through", _F, "ms", lambda s: _lasts_ms(s, _C, _F), *_ON),
    Measure("turn_forward", "trunk_turn", _C, "turn", lambda s: _turn(s, _B, _C), *_TURN_IN),
    Measure("turn_on", "trunk_turn", _F, "turn", lambda s: _turn(s, _C, _F), *_TURN_ON),
    Measure("lean_backswing", "lean", _B, "degrees", lambda s: _lean(s, _B), *_LEANT),
    Measure("lean_contact", "lean", _C, "degrees", lambda s: _lean(s, _C), *_LEANT),
    Measure("lean_follow_through", "lean", _F, "degrees", lambda s: _lean(s, _F), *_LEANT),
    Measure("swing_time", "tempo", _C, "ms", lambda s: _lasts_ms(s, _B, _C), "forward swing", *_LONG),
    Measure("hand_speed", "tempo", _C, "speed", _speed, *_FAST, sign=-1, counts=False),
    Measure("feet_turn", "feet", _C, "degrees", _feet, "feet", "turned further to the left",
            "turned further to the right"),
    Measure("stance_width", "stance", _C, "length", _stance, "stance", "wider", "narrower"),
    Measure("knees", "knees", _C, "degrees", lambda s: _knees(s, _C), "knees", "straighter", "more bent"),
    Measure("contact_height", "", _C, "length", lambda s: _height(s, _C), "contact point", *_HIGH),
)  # fmt: skip

_TOSS = (
    Measure("toss_time", "toss", _C, "ms", lambda s: _toss(s)[0], "time from toss to contact", *_LONG),
    Measure(
        "toss_height", "toss", _C, "length", lambda s: _toss(s)[1], "free hand at the toss", "higher", "lower"
    ),
)


TITLES = {
    "contact_ahead": "direction of the arm",
    "contact_distance": "hand before the shoulder",
    "elbow_backswing": "elbow angle",
    "elbow_contact": "elbow angle",
    "elbow_follow_through": "elbow angle",
    "elbow_height": "elbow over the shoulder",
    "upper_arm": "angle of upper arm and trunk",
    "backswing_sweep": "sweep of the arm until contact",
    "backswing_depth": "hand behind the hips",
    "follow_sweep": "sweep of the arm after contact",
    "follow_time": "time of the follow-through",
    "turn_forward": "turn of the shoulders until contact",
    "turn_on": "turn of the shoulders after contact",
    "lean_backswing": "lean of the trunk",
    "lean_contact": "lean of the trunk",
    "lean_follow_through": "lean of the trunk",
    "swing_time": "time from backswing to contact",
    "hand_speed": "speed of the hand",
    "feet_turn": "turn of the feet",
    "stance_width": "distance of the feet",
    "knees": "knee angle",
    "contact_height": "hand over the hips",
    "toss_time": "time from toss to contact",
    "toss_height": "free hand over the hips, at most",
}
"""What each measure is called in tables, by its name."""


def measures_of(label: str) -> tuple[Measure, ...]:
    """List what is measured in strokes of a class.

    Args:
        label: The class's name.
    """
    return (*_MEASURES, *_TOSS) if is_serve(label) else _MEASURES


MEASURES_OVER_TIME = (
    ("elbow: angle between upper arm and lower arm", "degrees", lambda s: _elbow(s, _C)),
    ("trunk: lean forward", "degrees", lambda s: _lean(s, _C)),
    ("knees: mean angle between thigh and shank", "degrees", lambda s: _knees(s, _C)),
)
"""What is drawn over a stroke's time: title, unit, and what reads it at the moment of contact."""
