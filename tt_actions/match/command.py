"""The ``analyze`` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tt_actions.errors import UserError
from tt_actions.files import check_writable
from tt_actions.recognition.stroke_names import NamedSport
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi


def analyze(
    source: Path,
    *,
    checkpoint: Path | None = None,
    sport: NamedSport | None = None,
    out: Path | None = None,
    players: tuple[str, ...] = (),
    roi: Sequence[Roi] = (),
    crop: Crop | None = None,
    pose: str | None = None,
    no_video: bool = False,
    no_skeleton: bool = False,
    engine: Literal["torch", "onnx"] = "torch",
) -> int:
    """Find the strokes in matches, and write tables, an annotated video and a page.

    Args:
        source: A video, a folder of videos or a manifest CSV.
        checkpoint: Checkpoint of a trained model (default: none; strokes that look alike share a letter).
        sport: Sport whose strokes a network of the package names, if there is no --checkpoint. Its names are
            less reliable than those of a model that was trained on your own clips.
        out: Folder for the results; with several videos, it gets one folder per video (default:
            runs/analysis/SOURCE).
        players: Names of the players from left to right, such as left,right; without --roi, each gets an
            equal part of the frame (default: one player).
        roi: Region of a player in pixels; repeat it for several players (default: as in training).
        crop: Whether to follow the person who moves most in each region (default: as in training).
        pose: Model that finds the joints, if the checkpoint reads joints: blazepose, or onnx:PATH (default:
            as in training).
        no_video: Skip annotated.mp4, which takes long.
        no_skeleton: Do not draw the skeletons of the players, which a model of joints finds.
        engine: What runs the model: torch, or onnx for the graphs that `export` writes (default: torch).

    Returns:
        The exit code: 1 if a video failed.

    Raises:
        UserError: If the source, the checkpoint or an option can't be used.
        OSError: If the results of a single video can't be written.
    """
    if checkpoint is None and (crop is not None or engine != "torch"):
        option = "crop" if crop is not None else "engine"
        raise UserError(f"Expected `checkpoint` beside `{option}`, but got none. Add it, or omit `{option}`.")
    check_writable(out)
    from tt_actions.match.jobs import Options, analyze_files

    options = Options(players, tuple(roi), crop, not no_video, not no_skeleton, engine, pose, sport)
    return analyze_files(source, checkpoint, out, options)
