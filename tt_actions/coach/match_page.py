"""The coach's page about a match: one self-contained HTML file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tt_actions.coach.match_review import JudgedStroke, MatchReview, Outcome
from tt_actions.coach.page import ADVICE
from tt_actions.coach.stroke import key_times
from tt_actions.evaluation.html_page import build_page
from tt_actions.files import write_atomically
from tt_actions.recognition.analysis import write_clock

WIDTH = 1000
"""Width of a timeline in the units of its drawing."""

_TEMPLATE = Path(__file__).with_name("match.html.j2")
_EARLIER_S = 1.0  # a link into the video goes to this time before the contact
_STYLES: dict[Outcome, str] = {
    "to correct": "correct",
    "nothing to correct": "fine",
    "unlike": "none",
    "skipped": "none",
    "no references": "none",
}
_WORDS: dict[Outcome, str] = {
    "to correct": "to correct",
    "nothing to correct": "nothing to correct",
    "unlike": "unlike all references: no advice",
    "skipped": "skipped",
    "no references": "not judged: too few references",
}


class Entry(NamedTuple):
    """A stroke on the page.

    Args:
        number: Its number in the match, from 1.
        judged: The stroke and what the coach says.
        clock: Time of contact as a video player shows it.
        at_s: Time in seconds to which a link into the video goes.
        x: Place on the timeline, from 0 to :data:`WIDTH`.
        style: Its CSS class.
        pictures: Phases and their times in the video, with the pictures as data URLs.
    """

    number: int
    judged: JudgedStroke
    clock: str
    at_s: float
    x: float
    style: str
    pictures: list[tuple[str, float, str]]


class ClassRow(NamedTuple):
    """A class on the page: the number of its strokes by outcome, and its strokes."""

    label: str
    counts: dict[Outcome, int]
    entries: list[Entry]


def write_match_page(
    folder: Path, video: Path, review: MatchReview, pictures: Mapping[JudgedStroke, Mapping[str, str]]
) -> None:
    """Write ``coach.html``, completely or not at all.

    Args:
        folder: Folder to write to; it is created if needed.
        video: The match, to which the page links.
        review: The review of the match.
        pictures: Frames of the video for some of the strokes, by phase, as data URLs.

    Raises:
        OSError: If the page can't be written.
    """
    with write_atomically(folder / "coach.html", ADVICE) as temporary:
        page = render_match_page(review, link_to(video, folder), pictures)
        temporary.write_text(page, encoding="utf-8", errors="replace")


def link_to(video: Path, folder: Path) -> str:
    """Return a relative link to a video from a page in a folder.

    Args:
        video: The video.
        folder: The folder of the page.

    >>> link_to(Path("a/match 1.mp4"), Path("a/advice"))
    '../match%201.mp4'
    """
    return quote(os.fsencode(os.path.relpath(video.absolute(), folder.absolute())))


def render_match_page(
    review: MatchReview, video_link: str, pictures: Mapping[JudgedStroke, Mapping[str, str]]
) -> str:
    """Return the page as HTML text.

    All names are escaped. The content security policy blocks scripts and all external files.

    Args:
        review: The review of the match.
        video_link: Link to the video.
        pictures: Frames of the video for some of the strokes, by phase, as data URLs.
    """
    entries = _list_entries(review, pictures)
    recurring = review.recurring()
    page = build_page(
        _TEMPLATE,
        "img-src data:",
        review=review,
        sentences=describe_outcomes(review),
        recurring=recurring,
        once=[each for each in review.find_recurrences() if each not in recurring],
        numbers={entry.judged: entry for entry in entries},
        entries=entries,
        rows=_list_rows(review, entries),
        words=_WORDS,
        clock=write_clock,
        video_link=video_link,
        width=WIDTH,
    )
    return page.html


def _list_entries(review: MatchReview, pictures: Mapping[JudgedStroke, Mapping[str, str]]) -> list[Entry]:
    entries = []
    for number, one in enumerate(review.strokes, 1):
        shown = pictures.get(one, {})
        times = key_times(one.review.stroke) if one.review else {}
        entries.append(
            Entry(
                number,
                one,
                write_clock(one.contact_s),
                round(max(0.0, one.contact_s - _EARLIER_S), 1),
                round(WIDTH * one.contact_s / review.duration_s, 1),
                _STYLES[one.outcome],
                [(phase, times[phase], picture) for phase, picture in shown.items()],
            )
        )
    return entries


def _list_rows(review: MatchReview, entries: Sequence[Entry]) -> list[ClassRow]:
    """Return the classes that occur, the most frequent first."""
    rows = [
        ClassRow(label, review.count(label), [one for one in entries if one.judged.stroke.label == label])
        for label in sorted({entry.judged.stroke.label for entry in entries})
    ]
    return sorted(rows, key=lambda row: -len(row.entries))


def describe_outcomes(review: MatchReview) -> list[str]:
    """Say in sentences what came of the strokes.

    Args:
        review: The review of the match.
    """
    counts, num = review.count(), len(review.strokes)
    strokes = "1 stroke" if num == 1 else f"{num} strokes"
    sentences = [
        f"{strokes}: {counts['to correct']} with something to correct, "
        f"{counts['nothing to correct']} with nothing to correct."
    ]
    reasons: tuple[tuple[Outcome, str], ...] = (
        ("unlike", "unlike all references, so there is no advice on {them}"),
        ("skipped", "skipped: cut off, or the player is lost or plays with the other hand"),
        ("no references", "not judged, because {their} class has too few references"),
    )
    for outcome, reason in reasons:
        if count := counts[outcome]:
            words = {"them": "it", "their": "its"} if count == 1 else {"them": "them", "their": "their"}
            sentences.append(f"{count} {'is' if count == 1 else 'are'} {reason.format(**words)}.")
    return sentences
