"""The tables of a coached match."""

from pathlib import Path
from typing import Any

from tt_actions.coach.match_review import JudgedStroke, MatchReview, Recurrence
from tt_actions.coach.page import ADVICE, findings_table
from tt_actions.coach.stroke import key_times
from tt_actions.files import write_json, write_rows

STROKE_COLUMNS = ("stroke", "contact_s", "class", "confidence", "outcome", "closeness")
"""Columns of ``findings.csv`` about the stroke, before those about the finding."""


def write_match_tables(folder: Path, review: MatchReview) -> None:
    """Write ``findings.json`` and ``findings.csv``, each completely or not at all.

    Args:
        folder: Folder to write to; it is created if needed.
        review: The review of the match.

    Raises:
        OSError: If a file can't be written.
    """
    header, _ = findings_table([])
    rows: list[list[object]] = []
    for number, one in enumerate(review.strokes, 1):
        _, findings = findings_table(one.findings)
        cells = _stroke_cells(number, one)
        rows += [[*cells, *finding] for finding in findings or [[None] * len(header)]]
    content = {
        "input": review.name,
        "player": review.player,
        "hand": review.hand,
        "references": review.references,
        "remarks": list(review.remarks),
        "outcomes": review.count(),
        "recurring": [_plain_recurrence(each) for each in review.recurring()],
        "strokes": [_plain_stroke(number, one) for number, one in enumerate(review.strokes, 1)],
    }
    write_json(folder / "findings.json", content, ADVICE)
    write_rows(folder / "findings.csv", [*STROKE_COLUMNS, *header], rows, ADVICE)


def _stroke_cells(number: int, one: JudgedStroke) -> list[object]:
    confidence = None if one.stroke.confidence is None else round(one.stroke.confidence, 4)
    score = None if one.review is None else round(one.review.score, 1)
    return [number, round(one.contact_s, 3), one.stroke.label, confidence, one.outcome, score]


def _plain_stroke(number: int, one: JudgedStroke) -> dict[str, Any]:
    header, findings = findings_table(one.findings)
    times = {} if one.review is None else key_times(one.review.stroke)
    return {
        **dict(zip(STROKE_COLUMNS, _stroke_cells(number, one), strict=True)),
        "reason": one.reason or None,
        "phases_s": {phase: round(at_s, 3) for phase, at_s in times.items()} or None,
        "findings": [dict(zip(header, finding, strict=True)) for finding in findings],
    }


def _plain_recurrence(each: Recurrence) -> dict[str, Any]:
    return {
        "class": each.label,
        "kind": each.kind,
        "advice": each.finding.advice,
        "num_strokes": len(each.strokes),
        "num_judged": each.num_judged,
        "most_at_s": round(each.worst.contact_s, 3),
    }
