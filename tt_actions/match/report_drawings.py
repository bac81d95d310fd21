"""Layout of the drawings on the report page, as plain numbers: class styles, columns, networks."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from tt_actions.evaluation.style import COLOURS
from tt_actions.match.technique_network import Technique, TechniqueNetwork

PALETTE = (*COLOURS, "#F0E442", "#8C8C8C")
"""Okabe and Ito's colours, without black (invisible in dark mode) and with a grey."""

NUM_PATTERNS = 4
"""Number of patterns: plain, dots, horizontal and vertical lines. Diagonal lines mean low confidence."""

MAX_ARROWS = 60

MIN_REACH = 150.0
"""Minimum distance from a network's centre to the edge of its drawing, so small networks aren't enlarged."""

NAME_LENGTH = 13
"""Maximum number of letters of a technique's name in a drawn network."""


class ClassStyle(NamedTuple):
    """The style of a class in all drawings.

    Args:
        number: Index of the class.
        name: Name of the class.
        code: One to three letters or digits, unique to the class.
        colour: Colour of its marks.
        ink: Colour of letters on top of them.
        pattern: 0 is plain; increases by 1 each time all colours are used up.
    """

    number: int
    name: str
    code: str
    colour: str
    ink: str
    pattern: int


class Column(NamedTuple):
    """A column of a column chart.

    Args:
        left: Left edge in per cent of the chart's width.
        width: In per cent of the chart's width.
        height: In per cent of the chart's height.
        title: Text of its tooltip.
    """

    left: float
    width: float
    height: float
    title: str


class Columns(NamedTuple):
    """A column chart.

    Args:
        title: Title of the chart.
        columns: Columns from left to right.
        marks: Positions in per cent and labels of the horizontal axis.
        ticks: Heights in per cent and labels of the vertical axis.
    """

    title: str
    columns: list[Column]
    marks: list[tuple[float, str]]
    ticks: list[tuple[float, str]]


class Node(NamedTuple):
    """A node of a drawn network.

    Args:
        technique: The technique.
        style: Style of its class.
        x: Horizontal position of the centre.
        y: Vertical position of the centre.
        radius: Radius of the circle.
        label_x: Horizontal position of the name.
        label_y: Vertical position of the name.
        anchor: Part of the name at that position: start, middle or end.
    """

    technique: Technique
    style: ClassStyle
    x: float
    y: float
    radius: float
    label_x: float
    label_y: float
    anchor: str


class Arrow(NamedTuple):
    """An arrow of a drawn network.

    Args:
        path: Path of the line.
        head: Corners of the arrowhead.
        width: Width of the line.
        title: Text of its tooltip.
        weight: Number of times the transition is played.
        label_x: Horizontal position of that number.
        label_y: Vertical position of that number.
    """

    path: str
    head: str
    width: float
    title: str
    weight: int
    label_x: float
    label_y: float


class NetworkDrawing(NamedTuple):
    """A network with its nodes on a circle.

    Args:
        nodes: Nodes in the order of the classes.
        arrows: Arrows, the most frequent last so that they are on top.
        num_left_out: Number of rare arrows that are not drawn.
        has_names: Whether there is room for names next to the nodes.
        has_groups: Whether there is more than one community.
        box: Bounding box: left, top, width and height; the centre of the circle is at 0, 0.
    """

    nodes: list[Node]
    arrows: list[Arrow]
    num_left_out: int
    has_names: bool
    has_groups: bool
    box: tuple[float, float, float, float]


def class_styles(names: Sequence[str]) -> list[ClassStyle]:
    """Assign a colour, a pattern and a unique code to every class.

    Args:
        names: Names of the classes.

    >>> [style.code for style in class_styles(["serve", "smash", "forehand_topspin", "发球", "</>"])]
    ['S', 'Sm', 'FT', '发', '5']
    """
    styles: list[ClassStyle] = []
    for number, name in enumerate(names):
        taken = {style.code for style in styles}
        code = next((code for code in _codes(name) if code not in taken), str(number + 1))
        colour = PALETTE[number % len(PALETTE)]
        pattern = number // len(PALETTE) % NUM_PATTERNS
        styles.append(ClassStyle(number, name, code, colour, _ink(colour), pattern))
    return styles


def _codes(name: str) -> list[str]:
    words = re.findall(r"[^\W_\d]+", name)
    if not words:
        return []
    initials = ["".join(word[0] for word in words[:number]).upper() for number in (2, 3) if len(words) > 1]
    first = words[0]
    return [*initials, first[0].upper(), *(first[0].upper() + letter.lower() for letter in first[1:])]


def _ink(colour: str) -> str:
    """Choose black or white, whichever has the higher contrast (WCAG 2.2, relative luminance)."""
    levels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#fff"


def draw_columns(
    title: str,
    values: Sequence[float],
    titles: Sequence[str],
    marks: Sequence[tuple[float, str]],
    highest: float,
) -> Columns:
    """Draw values as a column chart.

    Args:
        title: Title of the chart.
        values: Heights of the columns.
        titles: Tooltips of the columns.
        marks: Positions, in columns from the left edge, and labels of the horizontal axis.
        highest: The largest value of all charts that share the scale.
    """
    top, step = _scale(highest)
    width = 100 / max(1, len(values))
    columns = [
        Column(width * (number + 0.06), width * 0.88, 100 * value / top, text)
        for number, (value, text) in enumerate(zip(values, titles, strict=True))
    ]
    ticks = [(100 * number * step / top, f"{number * step:g}") for number in range(round(top / step) + 1)]
    return Columns(title, columns, [(width * place, text) for place, text in marks], ticks)


def _scale(highest: float) -> tuple[float, float]:
    """Return a round upper limit and a round tick step for an axis, with at most five steps."""
    if highest <= 0:
        return 1, 1
    power = 10 ** math.floor(math.log10(highest))
    steps = (factor * power / 10 for factor in (1, 2, 5, 10, 20, 50, 100))
    step = max(1, next(step for step in steps if highest / step <= 5))
    return step * math.ceil(highest / step), step


def draw_network(network: TechniqueNetwork, styles: Sequence[ClassStyle]) -> NetworkDrawing:
    """Place the techniques of a network on a circle.

    Args:
        network: The network of a player.
        styles: Styles of all classes.
    """
    by_name = {style.name: style for style in styles}
    number = len(network.techniques)
    has_names = number <= 10
    strongest = max((max(t.in_strength, t.out_strength) for t in network.techniques), default=1)
    loops = {edge.before for edge in network.transitions if edge.before == edge.after}
    nodes = {}
    for place, technique in enumerate(network.techniques):
        angle = 2 * math.pi * place / number - math.pi / 2
        strength = max(technique.in_strength, technique.out_strength) / strongest
        radius = (9 + 13 * strength**0.5) if has_names else 6 + 6 * strength**0.5
        beyond = 30 if technique.name in loops else 8
        style = by_name[technique.name]
        nodes[technique.name] = _place(technique, style, angle, 95 if has_names else 130, radius, beyond)
    shown = network.transitions[:MAX_ARROWS]
    heaviest = shown[0].weight if shown else 1
    arrows = [
        _arrow(nodes[edge.before], nodes[edge.after], edge.weight, heaviest) for edge in reversed(shown)
    ]
    has_groups = len({technique.community for technique in network.techniques}) > 1
    left_out = len(network.transitions) - len(shown)
    box = _box(list(nodes.values()), 14 if has_names else 0)
    return NetworkDrawing(list(nodes.values()), arrows, left_out, has_names, has_groups, box)


def _place(
    technique: Technique, style: ClassStyle, angle: float, around: float, radius: float, beyond: float
) -> Node:
    x, y = math.cos(angle), math.sin(angle)
    away = around + radius + beyond
    anchor = "middle" if abs(x) < 0.3 else "start" if x > 0 else "end"
    return Node(
        technique,
        style,
        round(around * x, 1),
        round(around * y, 1),
        round(radius, 1),
        round(away * x, 1),
        round(away * y + 4 + 6 * y * (anchor == "middle"), 1),
        anchor,
    )


def _box(nodes: list[Node], letter: float) -> tuple[float, float, float, float]:
    """Return the bounding box of nodes, loops and names; letters are about two thirds as wide as high."""
    left, top, right, bottom = -MIN_REACH, -MIN_REACH, MIN_REACH, MIN_REACH
    for node in nodes:
        reach = node.radius + 28  # radius of a loop
        width = 0.64 * letter * min(len(node.technique.name), NAME_LENGTH)
        begin = node.label_x - width * {"start": 0, "middle": 0.5, "end": 1}[node.anchor]
        left, right = min(left, node.x - reach, begin), max(right, node.x + reach, begin + width)
        top = min(top, node.y - reach, node.label_y - letter)
        bottom = max(bottom, node.y + reach, node.label_y + 0.3 * letter)
    return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


def _arrow(before: Node, after: Node, weight: int, heaviest: int) -> Arrow:
    width = 1 + 5 * weight / heaviest
    times = "once" if weight == 1 else f"{weight} times"
    title = f"{before.technique.name} → {after.technique.name}: {times}"
    start, end = complex(before.x, before.y), complex(after.x, after.y)
    if before is after:
        outward = start / abs(start)
        reach = (before.radius + 30) * outward
        controls = [start + reach * (1 - 0.75j), start + reach * (1 + 0.75j)]
        label = start + (before.radius + 17) * outward
    else:
        bend = (start + end) / 2 + 0.2j * (end - start)
        controls = [bend, bend]
        label = (start + 2 * bend + end) / 4
    begin = start + _towards(start, controls[0], before.radius + 1)
    tip = end + _towards(end, controls[1], after.radius + 1)
    base = tip + _towards(tip, controls[1], 4 + 1.3 * width)
    side = 1j * _towards(tip, controls[1], 2.5 + 0.8 * width)
    kind, curve = ("C", [*controls, base]) if before is after else ("Q", [bend, base])
    path = f"M{_point(begin)}{kind}{' '.join(_point(point) for point in curve)}"
    head = " ".join(_point(point) for point in (tip, base + side, base - side))
    return Arrow(path, head, round(width, 2), title, weight, round(label.real, 1), round(label.imag + 4, 1))


def _towards(start: complex, end: complex, length: float) -> complex:
    return (end - start) / (abs(end - start) or 1) * length


def _point(point: complex) -> str:
    return f"{point.real:.1f},{point.imag:.1f}"
