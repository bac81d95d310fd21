"""The measures of a stroke, and the words for values that are too high or too low."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from tt_actions.coach.phases import hand_speed
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion
from tt_actions.skeleton.hands import hand_of

Unit = Literal["degrees", "turn", "length", "ms", "speed"]
"""Units of measures: a ``turn`` is in degrees and positive in the direction in which the references turn, a
``length`` is in trunk lengths, and a ``speed`` is in trunk lengths per second."""

Phase = Literal["backswing", "contact", "follow_through"]


class Measure(NamedTuple):
    """One measure of a stroke, such as an angle at contact.

    Args:
        name: Unique name.
        cause: What a coach would correct: all measures of one cause make one finding. Empty for a measure
            that is only shown, because it is no fault; an example is the height of the ball.
        phase: Phase at which it is read.
        unit: Its unit.
        read: Function that reads it; returns None if the layout's joints don't show it.
        joint: Subject of a sentence about it.
        more: Words for a value above that of the references.
        less: Words for a value below it.
        sign: -1 if it is low when the other measures of its cause are high.
        counts: Whether it counts towards a finding; if not, it can only describe one.
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
    """What to change if a cause is found.

    Args:
        if_high: Advice if its measures are too high.
        if_low: Advice if they are too low.
    """

    if_high: str
    if_low: str


ADVICE = {
    "contact_point": Advice(
        "let the ball come closer", "meet the ball earlier, further in front of the body"
    ),
    "elbow": Advice("bend the elbow more", "straighten the elbow"),
    "elbow_height": Advice("keep the elbow closer to the body", "lift the elbow away from the body"),
    "backswing": Advice("shorten the backswing", "take the racket further back"),
    "follow_through": Advice("shorten the follow-through", "let the arm swing through after contact"),
    "trunk_turn": Advice("rotate the trunk less", "turn the shoulders back first, then into the ball"),
    "lean": Advice("stand more upright", "lean forward over the toes"),
    "tempo": Advice("swing faster into the ball", "take more time for the swing"),
    "toss": Advice("toss the ball lower", "toss the ball higher, and lift the free hand with it"),
    "feet": Advice("turn the feet further to the right", "turn the feet further to the left"),
    "stance": Advice("place the feet closer together", "place the feet further apart"),
    "knees": Advice("bend the knees more", "bend the knees less"),
}
"""What to change for each cause; left and right are those of a right-handed player."""

SPANS = (
    "backswing_sweep", "follow_sweep", "follow_time", "turn_forward", "turn_on", "swing_time", "hand_speed",
    "toss_time", "toss_height",
)  # fmt: skip
"""Names of the measures that cover a period instead of one moment."""


def angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    """Return the angle between two directions, in degrees.

    Args:
        first: One direction.
        second: The other direction.

    >>> round(angle_deg(np.array([1.0, 0.0]), np.array([1.0, 1.0])))
    45
    """
    length = max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9)
    return float(np.degrees(np.arccos(np.clip(first @ second / length, -1, 1))))


def position(stroke: StrokeMotion, phase: Phase, joint: str) -> np.ndarray:
    """Return the position of a joint at a phase.

    Args:
        stroke: The stroke.
        phase: The phase.
        joint: Name of the joint; ``hand`` is the playing hand, ``hips`` and ``shoulders`` are their middles.

    Shape:
        ``(C,)``.
    """
    middles = {"hips": stroke.layout.hips, "shoulders": stroke.layout.shoulders}
    names = middles.get(joint, (hand_of(stroke.layout, "right") if joint == "hand" else joint,))
    return np.asarray(stroke.place(*names)[getattr(stroke.phases, phase)])


def _behind(stroke: StrokeMotion) -> float:
    """Return how far the hand is behind the hips at the end of the backswing."""
    offset = position(stroke, "backswing", "hand") - position(stroke, "backswing", "hips")
    return float(offset[2] if len(offset) == 3 else -offset[0])


def _elbow(stroke: StrokeMotion, phase: Phase) -> float:
    elbow = position(stroke, phase, "right_elbow")
    end = "right_wrist" if "right_wrist" in stroke.layout.joints else "right_hand"
    return angle_deg(position(stroke, phase, "right_shoulder") - elbow, position(stroke, phase, end) - elbow)


def _upper_arm(stroke: StrokeMotion, phase: Phase) -> float:
    arm = position(stroke, phase, "right_elbow") - position(stroke, phase, "right_shoulder")
    return angle_deg(arm, position(stroke, phase, "hips") - position(stroke, phase, "shoulders"))


def _elbow_height(stroke: StrokeMotion, phase: Phase) -> float:
    return float((position(stroke, phase, "right_elbow") - position(stroke, phase, "right_shoulder"))[1])


def _ahead(stroke: StrokeMotion) -> float:
    """Return the direction of the arm at contact: 90 degrees is to the front, 0 to the side.

    In 2D, 0 is up.
    """
    offset = position(stroke, "contact", "hand") - position(stroke, "contact", "right_shoulder")
    ahead, aside = (-offset[2], abs(offset[0])) if len(offset) == 3 else (offset[0], abs(offset[1]))
    return float(np.degrees(np.arctan2(ahead, aside)))


def _height(stroke: StrokeMotion, phase: Phase) -> float:
    return float((position(stroke, phase, "hand") - position(stroke, phase, "hips"))[1])


def _yaw(stroke: StrokeMotion, phase: Phase, pair: tuple[str, str]) -> float:
    """Return the rotation to the left, in degrees, of the line between two joints."""
    across = position(stroke, phase, pair[0]) - position(stroke, phase, pair[1])
    return float(np.degrees(np.arctan2(across[2], -across[0])))


def _turn(stroke: StrokeMotion, begin: Phase, end: Phase) -> float | None:
    if stroke.layout.num_coordinates == 2:
        return None
    turn = _yaw(stroke, end, stroke.layout.shoulders) - _yaw(stroke, begin, stroke.layout.shoulders)
    return (turn + 180) % 360 - 180


def _lean(stroke: StrokeMotion, phase: Phase) -> float:
    """Return the forward lean of the trunk in degrees."""
    trunk = position(stroke, phase, "shoulders") - position(stroke, phase, "hips")
    return float(np.degrees(np.arctan2(-trunk[2] if len(trunk) == 3 else trunk[0], trunk[1])))


def _knees(stroke: StrokeMotion, phase: Phase) -> float:
    ends = "ankle" if "left_ankle" in stroke.layout.joints else "foot"
    angles = []
    for side in ("left", "right"):
        knee = position(stroke, phase, f"{side}_knee")
        hip, end = position(stroke, phase, f"{side}_hip"), position(stroke, phase, f"{side}_{ends}")
        angles.append(angle_deg(hip - knee, end - knee))
    return float(np.mean(angles))


def _stance(stroke: StrokeMotion) -> float:
    ends = "ankle" if "left_ankle" in stroke.layout.joints else "foot"
    apart = position(stroke, "contact", f"left_{ends}") - position(stroke, "contact", f"right_{ends}")
    return float(np.hypot(apart[0], apart[2]) if len(apart) == 3 else abs(apart[0]))


def _feet(stroke: StrokeMotion) -> float | None:
    """Return the direction of the feet: rotation to the left in degrees."""
    joints = stroke.layout.joints
    if stroke.layout.num_coordinates == 2 or not {"left_ankle", "left_foot"} <= set(joints):
        return None
    offsets = [
        position(stroke, "contact", f"{s}_foot") - position(stroke, "contact", f"{s}_ankle")
        for s in ("left", "right")
    ]
    along = np.sum([offset / max(float(np.hypot(offset[0], offset[2])), 1e-9) for offset in offsets], axis=0)
    return float(np.degrees(np.arctan2(-along[0], -along[2])))


def _sweep(stroke: StrokeMotion, begin: Phase, end: Phase) -> float:
    """Return the angle from the playing hand's first to its last position, seen from the shoulder."""
    first, last = (
        position(stroke, phase, "hand") - position(stroke, phase, "right_shoulder") for phase in (begin, end)
    )
    return angle_deg(first, last)


def _lasts_ms(stroke: StrokeMotion, begin: Phase, end: Phase) -> float:
    return 1000 * float(getattr(stroke.phases, end) - getattr(stroke.phases, begin)) / RATE_HZ


def _speed(stroke: StrokeMotion) -> float:
    return float(hand_speed(stroke.joints, stroke.layout, "right", RATE_HZ)[stroke.phases.contact])


def _toss(stroke: StrokeMotion) -> tuple[float, float]:
    """Return the ms from the free hand's fastest rise to contact, and its greatest height above the hips."""
    first = max(0, stroke.phases.contact - round(1.2 * RATE_HZ))
    part = slice(first, stroke.phases.contact + 1)
    height = stroke.place(hand_of(stroke.layout, "left"))[part, 1]
    rise = np.gradient(height)
    over = height - stroke.place(*stroke.layout.hips)[part, 1]
    return 1000 * (len(rise) - 1 - int(rise.argmax())) / RATE_HZ, float(over.max())


def is_serve(label: str) -> bool:
    """Return whether strokes of a class begin with a ball toss.

    Args:
        label: Name of the class.

    >>> is_serve("serve"), is_serve("serviceflat"), is_serve("smash")
    (True, True, False)
    """
    return "serv" in label.lower()


def _distance(stroke: StrokeMotion) -> float:
    """Return how far the hand is in front of the shoulder at contact."""
    offset = position(stroke, "contact", "hand") - position(stroke, "contact", "right_shoulder")
    return float(-offset[2] if len(offset) == 3 else offset[0])


_B: Phase = "backswing"
_C: Phase = "contact"
_F: Phase = "follow_through"
_BENT = ("elbow", "straighter", "more bent")
_LEANT = ("trunk", "further forward", "further back")
_LONG = ("longer", "shorter")
_HIGH = ("higher", "lower")
_FAST = ("playing hand", "faster", "slower")
_TURN_IN = ("trunk rotation into the ball", "larger", "smaller")
_TURN_ON = ("trunk rotation after contact", "larger", "smaller")
_AHEAD = ("contact point", "further in front", "further back")
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
    Measure("feet_turn", "feet", _C, "degrees", _feet, "feet", "further to the left",
            "further to the right"),
    Measure("stance_width", "stance", _C, "length", _stance, "stance", "wider", "narrower"),
    Measure("knees", "knees", _C, "degrees", lambda s: _knees(s, _C), "knees", "straighter", "more bent"),
    Measure("contact_height", "", _C, "length", lambda s: _height(s, _C), "contact point", *_HIGH),
)  # fmt: skip

_TOSS = (
    Measure("toss_time", "toss", _C, "ms", lambda s: _toss(s)[0], "time from toss to contact", *_LONG),
    Measure(
        "toss_height",
        "toss",
        _C,
        "length",
        lambda s: _toss(s)[1],
        "free hand during the toss",
        "higher",
        "lower",
    ),
)


TITLES = {
    "contact_ahead": "direction of the arm",
    "contact_distance": "distance of the hand in front of the shoulder",
    "elbow_backswing": "elbow angle",
    "elbow_contact": "elbow angle",
    "elbow_follow_through": "elbow angle",
    "elbow_height": "height of the elbow above the shoulder",
    "upper_arm": "angle between upper arm and trunk",
    "backswing_sweep": "swing angle of the arm before contact",
    "backswing_depth": "distance of the hand behind the hips",
    "follow_sweep": "swing angle of the arm after contact",
    "follow_time": "duration of the follow-through",
    "turn_forward": "shoulder rotation before contact",
    "turn_on": "shoulder rotation after contact",
    "lean_backswing": "forward lean of the trunk",
    "lean_contact": "forward lean of the trunk",
    "lean_follow_through": "forward lean of the trunk",
    "swing_time": "time from backswing to contact",
    "hand_speed": "speed of the playing hand",
    "feet_turn": "direction of the feet",
    "stance_width": "distance between the feet",
    "knees": "knee angle",
    "contact_height": "height of the hand above the hips",
    "toss_time": "time from toss to contact",
    "toss_height": "greatest height of the free hand above the hips",
}
"""The title of each measure in tables."""


def measures_of(label: str) -> tuple[Measure, ...]:
    """List the measures of strokes of a class.

    Args:
        label: Name of the class.
    """
    return (*_MEASURES, *_TOSS) if is_serve(label) else _MEASURES


MEASURES_OVER_TIME = (
    ("elbow: angle between upper arm and forearm", "degrees", lambda s: _elbow(s, _C)),
    ("trunk: forward lean", "degrees", lambda s: _lean(s, _C)),
    ("knees: mean angle between thigh and lower leg", "degrees", lambda s: _knees(s, _C)),
)
"""The curves over time: title, unit, and the function that reads the value at contact."""
