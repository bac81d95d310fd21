"""The ``predict`` command."""

from pathlib import Path

from tt_actions.files import check_writable
from tt_actions.video.types import Roi


def predict(
    source: Path,
    *,
    checkpoint: Path,
    out: Path | None = None,
    roi: Roi | None = None,
    pose: str | None = None,
) -> int:
    """Name the stroke in a clip, or in each of several clips.

    Args:
        source: A clip, a folder of clips or a manifest CSV. Labels that are known, from the manifest or from
            folders named after the classes, are compared with the predictions.
        checkpoint: Checkpoint of a trained model.
        out: Folder for predictions.csv and predictions.json (default: only the table is printed).
        roi: Region of the player in pixels, for clips without a region in the manifest (default: as in
            training).
        pose: Model that finds the joints in a video, if the checkpoint reads joints: blazepose, or onnx:PATH
            (default: as in training).

    Returns:
        The exit code: 1 if a clip failed.

    Raises:
        UserError: If the source, the checkpoint or an option can't be used, or a single clip can't be read.
        OSError: If a file is missing or can't be written.
    """
    if not source.exists():
        raise FileNotFoundError(
            f"Expected a clip, a folder or a manifest, but there is no '{source}'. Check the path."
        )
    if not checkpoint.is_file():
        raise FileNotFoundError(
            f"Expected a checkpoint, but there is no file '{checkpoint}'. Check the path."
        )
    check_writable(out)
    from tt_actions.evaluation.clip_answers import answer, print_answers, write_answers
    from tt_actions.recognition.loading import load

    answers = answer(load(checkpoint, pose=pose), source, checkpoint.absolute().parent.parent, roi)
    print_answers(answers)
    if out is not None:
        write_answers(out, answers, checkpoint)
    return 1 if answers.failures else 0
