"""Proposed marks from an analysis, and the order in which a person should look at them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.label.marks import Mark, Name
from tt_actions.label.sheet import Sheet
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.players import lay_tracks
from tt_actions.recognition.unnamed import is_unnamed
from tt_actions.video.info import probe
from tt_actions.video.types import Roi


def propose(analysis: MatchAnalysis) -> Sheet:
    """Make a proposed mark of each stroke of an analysis.

    If the analysis does not know the regions of its players, they share the frame from left to right.

    Args:
        analysis: The analysis, whatever made it: a model of joints or of frames, or no model at all. Strokes
            without confidence are named by their groups.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the name of the video can't be written to a manifest.
    """
    check_name(analysis.video)
    marks, names = {}, {}
    for number, stroke in enumerate(analysis.strokes, 1):
        # the last stroke may end a few frames after the video, where no clip can be read
        end_s = min(stroke.end_s, analysis.duration_s)
        contact_s = None if stroke.contact_s is None else min(stroke.contact_s, end_s)
        marks[number] = Mark(number, str(stroke.player), stroke.start_s, end_s, contact_s)
        names[number] = Name(stroke.label, stroke.confidence, _find_margin(analysis, stroke))
    return Sheet(
        video=analysis.video,
        duration_s=analysis.duration_s,
        players=analysis.players,
        rois=analysis.rois or _lay_regions(analysis),
        class_names=() if is_unnamed(analysis) else analysis.class_names,  # letters are no classes
        marks=MappingProxyType(marks),
        names=MappingProxyType(names),
        next_id=len(marks) + 1,
    )


def check_name(video: Path) -> None:
    """Raise an error if the path of a video can't be written to a manifest.

    Args:
        video: The video.

    Raises:
        UserError: If it can't be.
    """
    try:
        str(video.absolute()).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"Expected a path that can be written as UTF-8, like a manifest, but got {str(video)!a}. Rename "
            "the video or its folder."
        ) from error


def _lay_regions(analysis: MatchAnalysis) -> tuple[Roi | None, ...]:
    info = probe(analysis.video)
    return tuple(track.roi for track in lay_tracks(analysis.players, [], info.width, info.height))


def _find_margin(analysis: MatchAnalysis, stroke: Stroke) -> float | None:
    """Return how far the most likely class of a stroke is ahead of the second; None if that is unknown."""
    if stroke.confidence is None:
        return None
    columns = [i for i, name in enumerate(analysis.frame_classes) if name in analysis.class_names]
    first, last = np.searchsorted(analysis.times_s, [stroke.start_s, stroke.end_s])
    rows = analysis.probabilities[analysis.players.index(str(stroke.player)), first:last, columns]
    scores = rows.mean(1) if first < last and columns else np.zeros(0)
    return margin_of(scores / scores.sum()) if scores.sum() > 0 else stroke.confidence


def margin_of(scores: np.ndarray) -> float:
    """Return the difference of the highest and the second highest probability.

    Args:
        scores: Probability of each class.

    Shape:
        scores ``(K,)``.

    >>> margin_of(np.array([0.25, 0.75])), margin_of(np.array([1.0]))
    (0.5, 1.0)
    """
    second, first = np.sort([0.0, *scores])[-2:]
    return float(first - second)


def by_uncertainty(sheet: Sheet) -> list[int]:
    """Return the numbers of the proposed marks in the order in which marking them teaches most.

    The mark whose two most likely classes are closest comes first, and before it those of which no model has
    said anything. If no mark has probabilities, the groups of similar strokes take turns, so that a person
    soon sees all of them.

    Args:
        sheet: The marks of a video.
    """
    proposed = [mark for mark in sheet.marks.values() if mark.status == "proposed"]
    proposed.sort(key=lambda mark: (mark.start_s, mark.id))
    margins = {mark.id: name.margin for mark in proposed if (name := sheet.names.get(mark.id))}
    numbers = [mark.id for mark in proposed]
    if any(margin is not None for margin in margins.values()):
        known = {number: margin for number, margin in margins.items() if margin is not None}
        return sorted(numbers, key=lambda number: known.get(number, -1.0))
    groups: dict[str | None, list[int]] = defaultdict(list)
    for number in numbers:
        name = sheet.names.get(number)
        groups[None if name is None else name.label].append(number)
    return list(_take_turns(sorted(groups.values(), key=len, reverse=True)))


def _take_turns(groups: Sequence[Sequence[int]]) -> Iterator[int]:
    return (number for number in chain.from_iterable(zip_longest(*groups)) if number is not None)


def unmarked(video: Path, players: Sequence[str] = (), rois: Sequence[Roi] = ()) -> MatchAnalysis:
    """Return an analysis without strokes and joints, for a video in which a person marks everything.

    Args:
        video: The video.
        players: Names of the players: see :func:`tt_actions.recognition.players.lay_tracks`.
        rois: Their regions.

    Raises:
        VideoError: If the video can't be read.
        UserError: If names and regions don't match.
    """
    info = probe(video)
    tracks = lay_tracks(players, rois, info.width, info.height)
    return MatchAnalysis(
        video=video,
        duration_s=info.duration_s,
        class_names=(),
        players=tuple(track.name for track in tracks),
        strokes=(),
        frame_classes=(),
        times_s=np.zeros(0),
        probabilities=np.zeros((len(tracks), 0, 0), np.float32),
        rois=tuple(track.roi for track in tracks),
    )
