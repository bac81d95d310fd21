"""A match in numbers and sentences: strokes by class and player, tempo, rallies, confidence."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from tt_actions.clips.strokes import Stroke
from tt_actions.recognition.analysis import MatchAnalysis, write_clock

RALLY_GAP_S = 3.0
"""Pause in seconds after which the next stroke begins a new rally."""

UNSURE = 0.6
"""Confidence below which a stroke should be checked."""

MIN_MINUTES = 0.5
"""Minimum length of a video in minutes for reporting strokes per minute."""

_BINS_S = (10, 15, 30, 60, 120, 300, 600)
_MAX_BINS = 24


class Rally(NamedTuple):
    """Strokes that follow each other without a long pause.

    Args:
        strokes: All players' strokes in order of their start, at least one.
    """

    strokes: tuple[Stroke, ...]

    @property
    def start_s(self) -> float:
        """Start of the first stroke."""
        return self.strokes[0].start_s

    @property
    def length_s(self) -> float:
        """Seconds from the start of the first stroke to the end of the last."""
        return max(stroke.end_s for stroke in self.strokes) - self.start_s


class Tempo(NamedTuple):
    """Strokes per minute of each player over time.

    Args:
        bin_s: Length in seconds of the equal parts into which the match is divided.
        rates: Player -> strokes per minute in each part.
    """

    bin_s: float
    rates: dict[str, list[float]]


def find_rallies(strokes: Sequence[Stroke], gap_s: float = RALLY_GAP_S) -> list[Rally]:
    """Group strokes into rallies.

    Args:
        strokes: All players' strokes in order of their start.
        gap_s: The longest pause within a rally, from the end of all strokes so far to the next start.

    >>> strokes = [Stroke("serve", 0, 1), Stroke("smash", 3.5, 4), Stroke("serve", 7.5, 8)]
    >>> [len(rally.strokes) for rally in find_rallies(strokes)]
    [2, 1]
    """
    groups: list[list[Stroke]] = []
    end_s = 0.0
    for stroke in strokes:
        if groups and stroke.start_s - end_s <= gap_s:
            groups[-1].append(stroke)
        else:
            groups.append([stroke])
        end_s = max(end_s, stroke.end_s)
    return [Rally(tuple(group)) for group in groups]


def count_strokes(analysis: MatchAnalysis) -> dict[str, dict[str, int]]:
    """Count the strokes of each player and class: player -> class -> number.

    Args:
        analysis: Result of the analysis.
    """
    counts = {player: dict.fromkeys(analysis.class_names, 0) for player in analysis.players}
    for stroke in analysis.strokes:
        assert stroke.player is not None
        counts[stroke.player][stroke.label] += 1
    return counts


def measure_tempo(analysis: MatchAnalysis, bin_s: float | None = None) -> Tempo:
    """Count each player's strokes per minute over time; a stroke counts at its start.

    The parts have equal length, so no short remainder at the end gets its own rate.

    Args:
        analysis: Result of the analysis.
        bin_s: Approximate length of the parts in seconds. None chooses a round length that gives at most 24.
    """
    if bin_s is None:
        bin_s = next((b for b in _BINS_S if analysis.duration_s / b <= _MAX_BINS), _BINS_S[-1])
    num_bins = max(1, round(analysis.duration_s / bin_s))
    exact_s = analysis.duration_s / num_bins
    rates = {player: [0.0] * num_bins for player in analysis.players}
    for stroke in analysis.strokes:
        assert stroke.player is not None
        rates[stroke.player][min(int(stroke.start_s / exact_s), num_bins - 1)] += 60 / exact_s
    return Tempo(exact_s, rates)


def mean_confidence(strokes: Sequence[Stroke]) -> float | None:
    """Average the confidences of strokes; None if no stroke has one.

    Args:
        strokes: The strokes.

    >>> mean_confidence([Stroke("serve", 0, 1, confidence=0.5), Stroke("serve", 1, 2, confidence=1.0)])
    0.75
    """
    known = [stroke.confidence for stroke in strokes if stroke.confidence is not None]
    return fmean(known) if known else None


def count_unsure(strokes: Sequence[Stroke]) -> int:
    """Count the strokes whose confidence is below :data:`UNSURE`.

    Args:
        strokes: The strokes.

    >>> count_unsure([Stroke("serve", 0, 1, confidence=0.59), Stroke("serve", 1, 2, confidence=0.6)])
    1
    """
    return sum(stroke.confidence is not None and stroke.confidence < UNSURE for stroke in strokes)


def write_duration(seconds: float) -> str:
    """Format a duration in words.

    Args:
        seconds: The duration.

    >>> write_duration(190), write_duration(3725), write_duration(7.6)
    ('3 min 10 s', '1 h 2 min 5 s', '8 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def describe_match(analysis: MatchAnalysis) -> list[str]:
    """Summarise the strokes of a match in sentences, and how reliable they are.

    Args:
        analysis: Result of the analysis.
    """
    strokes, remarks = analysis.strokes, analysis.remarks
    if not strokes:
        return [*remarks, f"No strokes found in {write_duration(analysis.duration_s)}."]
    counts = count_strokes(analysis)
    totals = {name: sum(own[name] for own in counts.values()) for name in analysis.class_names}
    minutes = analysis.duration_s / 60
    rate = f", {len(strokes) / minutes:.1f} per minute" if minutes >= MIN_MINUTES else ""
    sentences = [
        f"{_number(len(strokes), 'stroke')} in {write_duration(analysis.duration_s)}{rate}. "
        f"Most frequent: {_most(totals)}."
    ]
    if len(analysis.players) > 1:
        for player, own in counts.items():
            number = sum(own.values())
            rate = f", {number / minutes:.1f} per minute" if minutes >= MIN_MINUTES else ""
            most = f"{rate}. Most frequent: {_most(own)}" if number else ""
            sentences.append(f"{player}: {_number(number, 'stroke')}{most}.")
    sentences.append(_describe_rallies(find_rallies(strokes)))
    return [*remarks, *sentences, *_describe_change(analysis), _describe_confidence(strokes)]


def _number(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def _most(counts: dict[str, int]) -> str:
    highest = max(counts.values())
    names = [name for name, count in counts.items() if count == highest]
    each = "each " if len(names) > 1 else ""
    shown = names if len(names) <= 3 else [*names[:3], f"{len(names) - 3} more"]
    listed = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return f"{listed} ({each}{highest / sum(counts.values()):.0%})".replace("%", " %")


def _describe_rallies(rallies: list[Rally]) -> str:
    start = f"{_number(len(rallies), 'rally')} (pauses of at most {RALLY_GAP_S:g} s)"
    numbers = [len(rally.strokes) for rally in rallies]
    longest = max(rallies, key=lambda rally: len(rally.strokes))
    size = f"{_number(len(longest.strokes), 'stroke')} in {longest.length_s:.1f} s"
    begin = write_clock(longest.start_s)
    if len(rallies) == 1:
        return f"{start}: {size}, starting at {begin}."
    mean_s = fmean(rally.length_s for rally in rallies)
    average = f"On average, a rally has {fmean(numbers):.1f} strokes and lasts {mean_s:.1f} s."
    return f"{start}. {average} The longest has {size} and starts at {begin}."


def _describe_change(analysis: MatchAnalysis) -> list[str]:
    """Compare the halves if their counts differ by more than three standard deviations (Poisson)."""
    num_late = sum(stroke.start_s >= analysis.duration_s / 2 for stroke in analysis.strokes)
    num_early = len(analysis.strokes) - num_late
    if abs(num_late - num_early) <= 3 * (num_late + num_early) ** 0.5:
        return []
    half = analysis.duration_s / 120
    verb = "rose" if num_late > num_early else "fell"
    return [
        f"The tempo {verb}: {num_early / half:.1f} strokes per minute in the first half, "
        f"{num_late / half:.1f} in the second."
    ]


def _describe_confidence(strokes: Sequence[Stroke]) -> str:
    mean = mean_confidence(strokes)
    if mean is None:
        return "The strokes have no confidence values, so the report can't suggest which ones to check."
    num_unsure = count_unsure(strokes)
    own = f"The model's mean confidence is {100 * mean:.0f} %. A confident prediction can still be wrong."
    if not num_unsure:
        return f"{own} No stroke is below {100 * UNSURE:.0f} %."
    have, are, them = ("has", "is", "it") if num_unsure == 1 else ("have", "are", "them")
    return (
        f"{own} {_number(num_unsure, 'stroke')} {have} less than {100 * UNSURE:.0f} % confidence and {are} "
        f"hatched: check {them}."
    )
