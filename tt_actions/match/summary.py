"""A match in numbers and sentences: strokes by class and player, tempo, rallies, confidence."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from tt_actions.clips.strokes import Stroke
from tt_actions.recognition.analysis import MatchAnalysis

RALLY_GAP_S = 3.0
"""Seconds without a stroke after which the next one begins another rally."""

UNSURE = 0.6
"""Confidence below which a stroke is to be looked at."""

LEAST_MINUTES = 0.5
"""Minutes of a video below which strokes a minute tell nothing."""

_BINS_S = (10, 15, 30, 60, 120, 300, 600)
_MOST_BINS = 24


class Rally(NamedTuple):
    """Strokes that follow each other without a long pause.

    Args:
        strokes: All players' strokes by their beginning, at least one.
    """

    strokes: tuple[Stroke, ...]

    @property
    def start_s(self) -> float:
        """When its first stroke begins."""
        return self.strokes[0].start_s

    @property
    def length_s(self) -> float:
        """Seconds from the beginning of the first stroke to the end of the last."""
        return max(stroke.end_s for stroke in self.strokes) - self.start_s


class Tempo(NamedTuple):
    """How fast each player plays over time.

    Args:
        bin_s: Length in seconds of the equal parts that the match is cut into.
        rates: Player -> strokes a minute in each part.
    """

    bin_s: float
    rates: dict[str, list[float]]


def find_rallies(strokes: Sequence[Stroke], gap_s: float = RALLY_GAP_S) -> list[Rally]:
    """Group strokes into rallies.

    Args:
        strokes: All players' strokes by their beginning.
        gap_s: The longest pause, from the end of all strokes so far to the next beginning, within a rally.

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
    """Count the strokes: player -> class -> number, in the order of players and classes.

    Args:
        analysis: What was found.
    """
    counts = {player: dict.fromkeys(analysis.class_names, 0) for player in analysis.players}
    for stroke in analysis.strokes:
        assert stroke.player is not None
        counts[stroke.player][stroke.label] += 1
    return counts


def measure_tempo(analysis: MatchAnalysis, bin_s: float | None = None) -> Tempo:
    """Count each player's strokes a minute over time; a stroke counts where it begins.

    The match is cut into equal parts, so that no short rest of it gets a rate of its own.

    Args:
        analysis: What was found.
        bin_s: About how long the parts are, in seconds. None chooses at most 24 parts of a round length.
    """
    if bin_s is None:
        bin_s = next((b for b in _BINS_S if analysis.duration_s / b <= _MOST_BINS), _BINS_S[-1])
    num_bins = max(1, round(analysis.duration_s / bin_s))
    exact_s = analysis.duration_s / num_bins
    rates = {player: [0.0] * num_bins for player in analysis.players}
    for stroke in analysis.strokes:
        assert stroke.player is not None
        rates[stroke.player][min(int(stroke.start_s / exact_s), num_bins - 1)] += 60 / exact_s
    return Tempo(exact_s, rates)


def mean_confidence(strokes: Sequence[Stroke]) -> float | None:
    """Average the confidences of strokes; None where none has one.

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
    """Write a length of time in words.

    Args:
        seconds: The length.

    >>> write_duration(190), write_duration(3725), write_duration(7.6)
    ('3 min 10 s', '1 h 2 min 5 s', '8 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def write_clock(seconds: float) -> str:
    """Write a time of a video as its player shows it.

    Args:
        seconds: The time.

    >>> write_clock(62.9), write_clock(3725)
    ('1:02', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe_match(analysis: MatchAnalysis) -> list[str]:
    """Say in sentences what the strokes show, and how far they are to be trusted.

    Args:
        analysis: What was found.
    """
    strokes, remarks = analysis.strokes, analysis.remarks
    if not strokes:
        return [*remarks, f"No stroke was found in {write_duration(analysis.duration_s)}."]
    counts = count_strokes(analysis)
    totals = {name: sum(own[name] for own in counts.values()) for name in analysis.class_names}
    minutes = analysis.duration_s / 60
    rate = f"{len(strokes) / minutes:.1f} a minute; " if minutes >= LEAST_MINUTES else ""
    sentences = [
        f"{_number(len(strokes), 'stroke')} in {write_duration(analysis.duration_s)}; "
        f"{rate}most often {_most(totals)}."
    ]
    if len(analysis.players) > 1:
        for player, own in counts.items():
            number = sum(own.values())
            rate = f", {number / minutes:.1f} a minute" if minutes >= LEAST_MINUTES else ""
            most = f"{rate}, most often {_most(own)}" if number else ""
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
    start = f"{_number(len(rallies), 'rally')} (strokes at most {RALLY_GAP_S:g} s apart)"
    numbers = [len(rally.strokes) for rally in rallies]
    longest = max(rallies, key=lambda rally: len(rally.strokes))
    of_it = f"{_number(len(longest.strokes), 'stroke')} in {longest.length_s:.1f} s"
    begins = f"begins at {write_clock(longest.start_s)}"
    if len(rallies) == 1:
        return f"{start}: {of_it}; it {begins}."
    mean_s = fmean(rally.length_s for rally in rallies)
    average = f"on average of {fmean(numbers):.1f} strokes and {mean_s:.1f} s"
    return f"{start}, {average}; the longest, {of_it}, {begins}."


def _describe_change(analysis: MatchAnalysis) -> list[str]:
    """Compare the halves where they differ by more than three standard deviations of a Poisson count."""
    num_late = sum(stroke.start_s >= analysis.duration_s / 2 for stroke in analysis.strokes)
    num_early = len(analysis.strokes) - num_late
    if abs(num_late - num_early) <= 3 * (num_late + num_early) ** 0.5:
        return []
    half = analysis.duration_s / 120
    verb = "rose" if num_late > num_early else "fell"
    return [
        f"The tempo {verb}: {num_early / half:.1f} strokes a minute in the first half, "
        f"{num_late / half:.1f} in the second."
    ]


def _describe_confidence(strokes: Sequence[Stroke]) -> str:
    mean = mean_confidence(strokes)
    if mean is None:
        return "The strokes have no confidences, so nothing says which to look at."
    num_unsure = count_unsure(strokes)
    own = f"The model's own confidence is {100 * mean:.0f} % on average; it can be sure and wrong."
    if not num_unsure:
        return f"{own} No stroke is below {100 * UNSURE:.0f} %."
    verb = "is" if num_unsure == 1 else "are"
    look = "it" if num_unsure == 1 else "them"
    return (
        f"{own} {_number(num_unsure, 'stroke')} below {100 * UNSURE:.0f} % confidence {verb} hatched: "
        f"look at {look}."
    )
