"""The ``coach`` command on a match: writes a page about the strokes of one player."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tt_actions.clips.records import ClipRecord, Hand
from tt_actions.clips.strokes import Stroke
from tt_actions.coach.coaches import Candidates, Coaches, OwnCoaches, ReferenceCoaches
from tt_actions.coach.match_page import describe_outcomes, write_match_page
from tt_actions.coach.match_review import JudgedStroke, MatchReview, judge_match
from tt_actions.coach.match_tables import write_match_tables
from tt_actions.coach.pictures import draw_pictures
from tt_actions.coach.reference_clips import ClipReader
from tt_actions.errors import UserError
from tt_actions.pose.video import POINTS, pose_rate
from tt_actions.recognition.analysis import MatchAnalysis, write_clock
from tt_actions.recognition.pipeline import find_tracks
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import BLAZEPOSE33_2D, convert, find_layout
from tt_actions.video.damage import collect_damage
from tt_actions.video.info import probe
from tt_actions.video.types import Roi

MAX_PICTURE_BYTES = 4_000_000
"""Maximum size of the pictures on a page in bytes."""

_MAX_STROKES = 60  # with pictures
_HEIGHT = 240  # of a picture in pixels
_MOST_LINES = 5


@dataclass(frozen=True)
class MatchInput:
    """A match and whose strokes to judge.

    Args:
        video: The match.
        players: Names of the players: see :func:`tt_actions.recognition.players.lay_tracks`.
        rois: Their regions.
        player: The player to judge; None if there is only one.
        label: The class to judge; None for all.
        hand: Playing hand of the player; None if it is unknown.
    """

    video: Path
    players: tuple[str, ...] = ()
    rois: tuple[Roi, ...] = ()
    player: str | None = None
    label: str | None = None
    hand: Hand | None = None


def coach_match(
    model: Recognizer,
    reader: ClipReader,
    match: MatchInput,
    clips: tuple[list[ClipRecord], str] | None,
    out: Path,
) -> None:
    """Judge the strokes of a player in a match, write the page and the tables, and print a summary.

    Args:
        model: A model of joints.
        reader: Reads the reference clips.
        match: The match and the player.
        clips: Reference clips, and where they come from; None for the player's own typical strokes.
        out: Folder to write to; it is created if needed.

    Raises:
        UserError: If the player or the references can't be used, or no stroke is found.
        OSError: If a file is missing or can't be written.
    """
    track = _choose_track(find_tracks(model, match.video, match.players, match.rois), match.player)
    analysis = _analyze(model, match, track)
    strokes = list_strokes(analysis, match.label)
    labels = sorted({stroke.label for stroke in strokes})
    of_clips = None if clips is None else ReferenceCoaches(reader, *clips, labels, match.video)

    def open_coaches(seen: Candidates) -> Coaches:
        return of_clips or OwnCoaches(seen, track.name)

    layout = find_layout(reader.preprocessing.layout)
    review = judge_match(analysis, strokes, layout, open_coaches, match.hand)
    if of_clips is not None:
        review = replace(review, remarks=(*review.remarks, *of_clips.remarks))
    write_match_page(out, match.video, review, draw_match_pictures(analysis, review, reader))
    write_match_tables(out, review)
    sys.stdout.write(_summarise(out, review))


def _choose_track(tracks: Sequence[PlayerTrack], player: str | None) -> PlayerTrack:
    names = [track.name for track in tracks]
    if player is None and len(tracks) == 1:
        return tracks[0]
    if player not in names:
        raise UserError(
            f"Expected `--player` to be one of the players ({', '.join(names)}), but got "
            f"{'none' if player is None else repr(player)}. Use one of these."
        )
    return tracks[names.index(player)]


def _analyze(model: Recognizer, match: MatchInput, track: PlayerTrack) -> MatchAnalysis:
    """Find the strokes of one player only, which takes as little time as possible."""
    rois = [] if track.roi is None else [track.roi]
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        finding = progress.add_task("finding strokes", total=probe(match.video).duration_s)
        with collect_damage() as damage:
            analysis = model.analyze(
                match.video,
                [track.name] if match.players or match.rois else [],
                rois,
                on_progress=lambda done_s: progress.update(finding, completed=done_s),
            )
    return replace(analysis, remarks=(*damage, *analysis.remarks))


def list_strokes(analysis: MatchAnalysis, label: str | None) -> list[Stroke]:
    """Return the strokes of a class, or all strokes.

    Args:
        analysis: The analysis of the match, for one player.
        label: The class; None for all.

    Raises:
        UserError: If there is none; the error says which other strokes there are, or why none may be found.
    """
    strokes = [stroke for stroke in analysis.strokes if label in (None, stroke.label)]
    if strokes:
        return strokes
    expected = f"Expected strokes{f' of class {label}' if label else ''} by '{analysis.players[0]}' in "
    counts = Counter(stroke.label for stroke in analysis.strokes)
    if counts:
        found = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        raise UserError(f"{expected}'{analysis.video}', but found only {found}. Pass another `--class`.")
    raise UserError(
        f"{expected}'{analysis.video}', but found none. Check the player's region."
        + "".join(f"\n  {remark}" for remark in analysis.remarks)
    )


def draw_match_pictures(
    analysis: MatchAnalysis, review: MatchReview, reader: ClipReader
) -> dict[JudgedStroke, dict[str, str]]:
    """Draw pictures of the strokes that are worth a look, at most :data:`MAX_PICTURE_BYTES` in all.

    These are the stroke of each class that is closest to the references, and then those with findings, the
    strongest first.

    Args:
        analysis: The analysis of the match, for one player.
        review: The review of the match.
        reader: Says how the joints are found.

    Returns:
        For each of these strokes, the picture of each phase as a data URL.
    """
    assert analysis.motion is not None
    chosen = choose_strokes(review)[:_MAX_STROKES]
    motions = [one.review.stroke for one in chosen if one.review is not None]
    layout = find_layout(reader.preprocessing.layout)
    points = convert(analysis.motion.poses[0][..., POINTS], BLAZEPOSE33_2D, layout)
    fps = pose_rate(analysis.video, reader.preprocessing.fps)
    drawn = draw_pictures(analysis.video, fps, points, analysis.times_s, motions, _HEIGHT)
    left, kept = MAX_PICTURE_BYTES, {}
    for one, pictures in zip(chosen, drawn, strict=True):
        left -= sum(map(len, pictures.values()))
        if left < 0:
            break
        kept[one] = pictures
    return kept


def choose_strokes(review: MatchReview) -> list[JudgedStroke]:
    """Return the strokes that are worth a look: the closest of each class, then those with findings.

    Args:
        review: The review of the match.
    """
    closest: dict[str, tuple[float, JudgedStroke]] = {}
    for one in review.strokes:
        if one.review is not None and one.outcome == "nothing to correct":
            before, _ = closest.get(one.stroke.label, (-1.0, one))
            if one.review.score > before:
                closest[one.stroke.label] = one.review.score, one
    faulty = [one for one in review.strokes if one.findings]
    faulty.sort(key=lambda one: -sum(finding.strength for finding in one.findings))
    return [*(one for _, one in closest.values()), *faulty]


def _summarise(out: Path, review: MatchReview) -> str:
    recurring = [
        f"{each.finding.advice}: {len(each.strokes)} of {each.num_judged} strokes of class {each.label}, "
        f"most at {write_clock(each.worst.contact_s)}"
        for each in review.recurring()
    ]
    more = [f"{len(recurring) - _MOST_LINES} more on the page"] if len(recurring) > _MOST_LINES else []
    lines = [
        review.title,
        *(f"  {sentence}" for sentence in describe_outcomes(review)),
        *(f"  {sentence}" for sentence in review.references.values()),
        *(f"  {remark}" for remark in review.remarks),
        *(f"  {line}" for line in [*recurring[:_MOST_LINES], *more] or ["Nothing recurs."]),
        f"{out / 'coach.html'}",
    ]
    return "\n".join(lines) + "\n"
