"""The ``coach`` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tt_actions.clips.records import ClipRecord, Hand
from tt_actions.errors import UserError
from tt_actions.files import check_writable
from tt_actions.video.types import Roi

FORMER_FLAGS = ("--input",)
"""Options of earlier versions whose value is now an argument without a name."""


def coach(
    source: Path,
    *,
    checkpoint: Path,
    out: Path,
    match: bool = False,
    players: tuple[str, ...] = (),
    player: str | None = None,
    reference: Path | None = None,
    against: Literal["references", "own"] = "references",
    joints: Path | None = None,
    pose: str | None = None,
    roi: Sequence[Roi] = (),
    class_: str | None = None,
    hand: Hand | None = None,
    fps: float | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Find what is wrong in a stroke by comparison with reference strokes, and how to correct it.

    With ``match``, it judges every stroke of one player in a match, and says what recurs. It prints the
    findings, and writes them to ``coach.html``, ``findings.json`` and ``findings.csv``.

    Args:
        source: A video, or a joint file. The built-in pose model finds the joints in a video.
        checkpoint: Checkpoint of a model of joints.
        out: Folder to write to; it is created if needed.
        match: The video is a match: judge all strokes of one player in it.
        players: Names of the players of a match from left to right, such as left,right; without --roi, each
            gets an equal part of the frame (default: one player).
        player: The player of the match to judge (default: the only one).
        reference: Reference strokes: a folder with one subfolder of videos or joint files per class, or a
            manifest CSV (default: the training clips).
        against: What to compare a match with: references, or own for the player's own most typical strokes
            in it (default: references).
        joints: Joint file of the video, one row per frame, instead of the built-in pose model.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH (default: as in training).
        roi: Region of the player in the video, in pixels; in a match, repeat it for several players
            (default: as in training).
        class_: Class of the stroke (default: the most likely); in a match, judge only strokes of this class.
        hand: Playing hand (default: inferred from the references, which often fails in videos).
        fps: Frames per second of joint files that don't state it (default: that of the training, or of the
            video for --joints).
        cache_dir: Folder that keeps the joints found in videos (default: that of the training).

    Raises:
        ValueError: If the model is not a model of joints, or the source or the references can't be used.
        OSError: If a file is missing or can't be written.
    """
    _check_exist(checkpoint, source, reference, joints)
    check_writable(out)
    from tt_actions.coach.match_command import MatchInput, coach_match
    from tt_actions.coach.stroke_command import coach_stroke, list_references_of, make_reader
    from tt_actions.skeleton.files import SUFFIXES

    is_video = source.suffix.lower() not in SUFFIXES
    _check_input(source, is_video, joints, pose, roi)
    _check_match(match, is_video and not joints, players, player, roi, against == "own", reference)
    model, reader = make_reader(checkpoint, pose, class_, fps, cache_dir)
    clips = None if against == "own" else list_references_of(model, checkpoint, reference)
    if match:
        of_player = MatchInput(source, tuple(players), tuple(roi), player, class_, hand)
        coach_match(model, reader, of_player, clips, out)
    else:
        assert clips is not None
        clip = ClipRecord(source, roi=next(iter(roi), None), hand=hand)
        coach_stroke(model, reader, clip, joints, class_, clips, out)


def _check_exist(*paths: Path | None) -> None:
    for path in paths:
        if path is not None and not path.exists():
            raise FileNotFoundError(f"Expected '{path}', but there is no such file. Check the path.")


def _check_input(
    file: Path, is_video: bool, joints: Path | None, pose: str | None, roi: Sequence[Roi]
) -> None:
    if not is_video and (joints or pose or roi):
        raise UserError(
            f"Expected a video with `--joints`, `--pose` or `--roi`, but got the joint file '{file}'. Remove "
            "these options, or pass the video."
        )
    if joints and (pose or roi):
        raise UserError(
            "Expected no `--pose` or `--roi` with `--joints`, because they are for finding joints, but got "
            f"`--pose` {pose} and `--roi` {list(roi)}. Remove them, or `--joints`."
        )


def _check_match(
    is_match: bool,
    is_video: bool,
    players: Sequence[str],
    player: str | None,
    roi: Sequence[Roi],
    is_own: bool,
    reference: Path | None,
) -> None:
    """Check the options that only make sense for a match, or only for one stroke."""
    if is_match and not is_video:
        raise UserError(
            "Expected only a video with `--match`, but got a joint file. Pass the video, or remove `--match`."
        )
    if not is_match and (players or player or is_own or len(roi) > 1):
        raise UserError(
            "Expected `--match` with `--players`, `--player`, `--against own` or several `--roi`, but got "
            "none. Add it if the video is a match."
        )
    if is_own and reference is not None:
        raise UserError(
            f"Expected no `--reference` with `--against own`, but got '{reference}'. Remove one of them."
        )
