"""The coach's page: one self-contained HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tt_actions.coach.alignment import STEPS
from tt_actions.coach.curves import StrokeCurve, draw_curves
from tt_actions.coach.diagnosis import Finding, scale_of
from tt_actions.coach.measures import TITLES
from tt_actions.coach.phases import Phases
from tt_actions.coach.review import Review
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion
from tt_actions.evaluation.html_page import build_page
from tt_actions.files import write_atomically

ADVICE = "and run `tt-actions coach` again"

_TEMPLATE = Path(__file__).with_name("coach.html.j2")
_SIZE = 220.0
_MARGIN = 20.0
_HEAD = 0.2  # radius of a head in trunk lengths
_WIDTH, _HEIGHT = 420.0, 150.0
_FAR = 2.0  # spreads from the references, beyond which a value is bold
_PHASES = {
    "backswing": "end of the backswing",
    "contact": "contact",
    "follow_through": "end of the follow-through",
}


class Bone(NamedTuple):
    """A line of a drawn skeleton: its ends and its CSS class."""

    x1: float
    y1: float
    x2: float
    y2: float
    style: str


class Head(NamedTuple):
    """A circle that stands for the head, and its CSS class."""

    x: float
    y: float
    radius: float
    style: str


class View(NamedTuple):
    """A phase seen from one side, with the stroke drawn over the reference."""

    phase: str
    side: str
    reference: list[Bone]
    own: list[Bone]
    heads: list[Head]
    time_s: float
    picture: str | None


class Number(NamedTuple):
    """A row of the table of all measures."""

    name: str
    phase: str
    value: str
    usual: str
    unit: str
    is_far: bool
    failed: bool


class Plot(NamedTuple):
    """A curve as SVG paths."""

    title: str
    unit: str
    band: str
    middle: str
    own: str
    ticks: list[tuple[float, str]]


def write_coach_page(folder: Path, review: Review) -> None:
    """Write ``coach.html``, completely or not at all.

    Args:
        folder: Folder to write to; it is created if needed.
        review: The review of the stroke.

    Raises:
        OSError: If the page can't be written.
    """
    with write_atomically(folder / "coach.html", ADVICE) as temporary:
        temporary.write_text(render_coach_page(review), encoding="utf-8", errors="replace")


def render_coach_page(review: Review) -> str:
    """Return the coach's page as HTML text.

    All names are escaped. The content security policy blocks scripts and all external files.

    Args:
        review: The review of the stroke.
    """
    page = build_page(
        _TEMPLATE,
        "img-src data:",
        review=review,
        titles=TITLES,
        write_number=write_number,
        views=draw_views(review),
        plots=[draw_plot(curve) for curve in draw_curves(review.stroke, review.alike)],
        numbers=list_numbers(review),
        size=_SIZE,
        width=_WIDTH,
        height=_HEIGHT,
        phase_names=_PHASES,
        marks=[
            (_x(k * STEPS, 3 * STEPS + 1), name) for k, name in enumerate(("", "backswing", "contact", ""))
        ],
    )
    return page.html


def draw_views(review: Review) -> list[View]:
    """Draw the stroke over the most similar reference, at each phase and from each side.

    Args:
        review: The review of the stroke.
    """
    stroke, nearest = review.stroke, review.alike[0]
    flip = -1.0 if stroke.mirrored else 1.0
    if stroke.layout.num_coordinates == 2:
        sides = {"": ((0, flip), (1, 1.0))}
    else:  # seen from the right, facing right; and from behind
        sides = {"from the side": ((2, -1.0), (1, 1.0)), "from behind": ((0, flip), (1, 1.0))}
    views = []
    for number, (side, axes) in enumerate(sides.items()):
        poses = [
            [_flat(each, getattr(each.phases, phase), axes) for each in (nearest, stroke)]
            for phase in Phases._fields
        ]
        scale, middle = _frame(np.array(poses))
        for phase, (theirs, own) in zip(Phases._fields, poses, strict=True):
            moment = getattr(stroke.phases, phase)
            views.append(
                View(
                    phase=phase,
                    side=side,
                    reference=_bones(theirs, stroke, scale, middle),
                    own=_bones(own, stroke, scale, middle),
                    heads=[
                        _head(theirs, stroke, scale, middle, "theirs"),
                        _head(own, stroke, scale, middle, "body"),
                    ],
                    time_s=stroke.start_s + moment / RATE_HZ,
                    picture=None if number else review.pictures.get(phase),
                )
            )
    return views


def _flat(stroke: StrokeMotion, moment: int, axes: Sequence[tuple[int, float]]) -> np.ndarray:
    """Project the joints at one moment, with the feet at height 0 and the hips at 0: ``(V, 2)``."""
    joints = stroke.joints[moment]
    hips = np.mean([joints[stroke.layout.index(name)] for name in stroke.layout.hips], axis=0)
    flat = np.stack([sign * (joints - hips)[:, axis] for axis, sign in axes], -1)
    flat[:, 1] -= flat[:, 1].min()
    return flat


def _frame(points: np.ndarray) -> tuple[float, np.ndarray]:
    flat = points.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    return float((_SIZE - 2 * _MARGIN) / max(high - low)), (low + high) / 2


def _head(points: np.ndarray, stroke: StrokeMotion, scale: float, middle: np.ndarray, style: str) -> Head:
    name = "head" if "head" in stroke.layout.joints else "nose"
    x, y = np.round((points[stroke.layout.index(name)] - middle) * [scale, -scale] + _SIZE / 2, 1).tolist()
    return Head(x, y, round(_HEAD * scale, 1), style)


def _bones(points: np.ndarray, stroke: StrokeMotion, scale: float, middle: np.ndarray) -> list[Bone]:
    placed = np.round((points - middle) * [scale, -scale] + _SIZE / 2, 1)
    bones = []
    for joint, parent in stroke.layout.bones:
        name = stroke.layout.joints[joint]
        is_arm = any(part in name for part in ("elbow", "wrist", "hand", "finger", "thumb"))
        style = "playing" if name.startswith("right_") and is_arm else "body"
        (x1, y1), (x2, y2) = placed[joint].tolist(), placed[parent].tolist()
        bones.append(Bone(x1, y1, x2, y2, style))
    return bones


def _x(number: float, num: int) -> float:
    return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * number / (num - 1), 1)


def draw_plot(curve: StrokeCurve) -> Plot:
    """Draw a curve and the band of the references.

    Args:
        curve: The curve.
    """
    every = np.concatenate([curve.own, curve.low, curve.high])
    low, high = float(every.min()), float(every.max())
    room = _HEIGHT - 2 * _MARGIN

    def y(value: float) -> float:
        return round(_MARGIN + room * (high - value) / max(high - low, 1e-9), 1)

    def line(values: np.ndarray) -> str:
        return " ".join(f"{_x(i, len(values))},{y(value)}" for i, value in enumerate(values.tolist()))

    back = " ".join(reversed(line(curve.high).split(" ")))
    ticks = [(y(value), f"{value:.0f}") for value in (low, (low + high) / 2, high)]
    return Plot(
        curve.title, curve.unit, f"{line(curve.low)} {back}", line(curve.middle), line(curve.own), ticks
    )


def list_numbers(review: Review) -> list[Number]:
    """List all measures of a stroke as rows of the table.

    Args:
        review: The review of the stroke.
    """
    rows = []
    reported = {finding.measure for finding in review.findings}
    for measure, value, usual, spread, failed in zip(
        review.measures, review.values, review.usual, review.spread, review.failed, strict=True
    ):
        factor, unit = scale_of(measure, review.stroke)
        digits = 1 if unit == "m/s" else 0
        rows.append(
            Number(
                TITLES[measure.name],
                _PHASES[measure.phase],
                write_number(factor * value, digits),
                f"{write_number(factor * usual, digits)} ± {write_number(factor * spread, digits)}",
                unit,
                not failed and (measure.name in reported or abs(value - usual) > _FAR * spread),
                bool(failed),
            )
        )
    return rows


def write_number(value: float, digits: int) -> str:
    """Format a number, never as -0.

    Args:
        value: The number.
        digits: Number of digits after the point.

    >>> write_number(-0.4, 0)
    '0'
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"


def findings_table(findings: Sequence[Finding]) -> tuple[list[str], list[list[object]]]:
    """Return the header and the rows of the CSV of findings.

    Args:
        findings: The findings.
    """
    header = ["kind", "measure", "phase", "value", "references", "spread", "unit", "strength", "finding"]
    rows: list[list[object]] = [
        [f.kind, f.measure, f.phase, round(f.value, 3), round(f.usual, 3), round(f.spread, 3), f.unit,
         round(f.strength, 3), f.sentence]
        for f in findings
    ]  # fmt: skip
    return header, rows
