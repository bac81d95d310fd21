"""The ``label`` command."""

from collections.abc import Sequence
from pathlib import Path

from tt_actions.errors import UserError
from tt_actions.label.store import check_place
from tt_actions.recognition.stroke_names import NamedSport
from tt_actions.video.types import Roi


def label(
    videos: list[Path] = [],  # noqa: B006
    /,
    *,
    from_: list[Path] = [],  # noqa: B006
    checkpoint: Path | None = None,
    sport: NamedSport | None = None,
    out: Path | None = None,
    players: tuple[str, ...] = (),
    roi: Sequence[Roi] = (),
    pose: str | None = None,
    port: int = 8001,
    no_browser: bool = False,
) -> None:
    """Mark the strokes of videos on a page, beginning with proposals.

    The proposals are the strokes that `analyze` finds. Every decision is saved at once as a row of a
    manifest, from which `train` learns. Started again, the page goes on where you stopped.

    Args:
        videos: Videos to mark, or the strokes.csv of their analyses. With --from, they are the videos of
            these folders, if they have been moved.
        from_: Folders that `analyze` has written; their strokes are the proposals.
        checkpoint: Checkpoint of a trained model that names the proposals, if there is no --from (default:
            none; strokes that look alike share a letter).
        sport: Sport whose strokes a network of the package names, if there is no --from and no --checkpoint.
        out: Manifest for the marks (default: runs/labels/VIDEO.csv).
        players: Names of the players from left to right, such as left,right; without --roi, each gets an
            equal part of the frame (default: one player).
        roi: Region of a player in pixels; repeat it for several players (default: as in training).
        pose: Model that finds the joints, if the checkpoint reads joints: blazepose, or onnx:PATH (default:
            as in training).
        port: Port of the page; 0 chooses a free one (default: 8001).
        no_browser: Do not open the page in the browser.

    Raises:
        UserError: If there are no proposals, or the videos, the folders or the marks can't be used.
        OSError: If a file is missing or can't be written, or the port isn't available.
    """
    _check_exist(*from_, checkpoint)
    if not from_:
        _check_files(videos)
    if out is not None:
        check_place(out)
    from tt_actions.label.marking import mark
    from tt_actions.match.jobs import Options

    options = Options(players, tuple(roi), pose=pose, sport=sport)
    mark(videos, from_, checkpoint, options, out, port, no_browser)


def _check_exist(*paths: Path | None) -> None:
    for path in paths:
        if path is not None and not path.exists():
            raise FileNotFoundError(
                f"Expected '{path}', but there is no such file or folder. Check the path."
            )


def _check_files(videos: list[Path]) -> None:
    for video in videos:
        if not video.is_file():
            raise UserError(
                f"Expected VIDEO to be a video file, but '{video}' is none. Give the files one by one."
            )
