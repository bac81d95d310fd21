"""The ``live`` command."""

from collections.abc import Sequence
from pathlib import Path

from tt_actions.files import check_writable
from tt_actions.local_server import HOST
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi


def live(
    *,
    checkpoint: Path,
    source: str,
    out: Path,
    players: tuple[str, ...] = (),
    roi: Sequence[Roi] = (),
    crop: Crop | None = None,
    pose: str | None = None,
    host: str = HOST,
    port: int = 8000,
    no_page: bool = False,
    retry_s: float = 30.0,
    lag: int | None = None,
) -> None:
    """Find the strokes in live video from a camera, a stream or a file.

    A page shows the strokes as they end. When the source ends, ``live`` writes the same files as ``analyze``.

    Args:
        checkpoint: Checkpoint of a trained model.
        source: Number of a camera, address of a stream such as rtsp://..., or a video file, which is played
            in real time.
        out: Folder to write to; it is created if needed.
        players: Names of the players, in the order of their regions or from left to right, such as
            left,right (default: one player).
        roi: Region of a player in pixels; give it once for each player, or once for all (default: as in
            training).
        crop: Whether to follow the person who moves most in each region (default: as in training).
        pose: Model that finds the joints, if the checkpoint reads joints: blazepose, or onnx:PATH (default:
            as in training).
        host: Address of the page (default: 127.0.0.1).
        port: Port of the page; 0 chooses a free one (default: 8000).
        no_page: Do not serve a page.
        retry_s: Seconds during which to try to reconnect to a lost source (default: 30).
        lag: Maximum decision delay in frames (default: about half a second). For a model of joints, it counts
            from contact, and ends with the training clips' part after contact at the latest.

    Raises:
        VideoError: If the source can't be read, or if it fails later; the files are then written first.
        ValueError: If the checkpoint or an option is not as expected.
        OSError: If there is no checkpoint, a file can't be written, or the page's address isn't available.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"Expected a new or empty folder to write to, but got '{out}'. Choose another `--out`."
        )
    check_writable(out)
    from tt_actions.match.live.session import LiveAnalysis
    from tt_actions.match.live.source import LiveSource
    from tt_actions.match.live.watch import watch
    from tt_actions.recognition.loading import load

    watched = LiveSource(source, retry_s)
    analysis = LiveAnalysis(load(checkpoint, pose=pose), watched, players, roi, crop, lag)
    watch(analysis, out, None if no_page else (host, port))
