"""The commands ``compare``, ``sweep`` and ``names``."""

from pathlib import Path

from tt_actions.files import check_writable
from tt_actions.recognition.stroke_names import FOLDER, NamedSport


def compare(
    *words: str,
    models: list[str] = ["cnn", "lstm", "mof", "cnn_lstm", "cnn_lstm_plus"],  # noqa: B006 - only read
    seeds: int | None = None,
    data: Path | None = None,
    layout: str | None = None,
    quick: bool = False,
    published: bool = False,
    shares: tuple[str, ...] = (),
    out: Path | None = None,
) -> int:
    """Train several experiments with several seeds on one split, and write tables and figures.

    Args:
        *words: All other options are passed to every training: see `tt-actions train --help`.
        models: Experiments or their YAML files (default: cnn lstm mof cnn_lstm cnn_lstm_plus).
        seeds: Number of seeds for each experiment (default: 3, or 1 with --quick).
        data: Your own clips instead of those of the experiments: a folder or a manifest CSV.
        layout: Layout of the joints in your own clips, such as ntu25.
        quick: Run a smoke test of about 2 minutes; ignore its numbers.
        published: Show all published results, not only those of cnn_lstm on its four strokes.
        shares: Also train on these shares of the training clips, such as 0.1,0.3,1, for the accuracy over the
            number of clips.
        out: Folder to write to (default: runs/compare, or runs/compare_quick with --quick).

    Returns:
        The exit code: 1 if a training failed.
    """
    folder = out or Path("runs/compare_quick" if quick else "runs/compare")
    check_writable(folder)
    from tt_actions.studies import compare as comparing
    from tt_actions.studies.shares import read_shares

    num_seeds = seeds if seeds is not None else 1 if quick else 3
    return comparing.compare(
        models,
        num_seeds,
        folder,
        data,
        quick,
        words,
        layout=layout,
        published=published,
        shares=read_shares(shares),
    )


def sweep(
    sweep: str,
    *words: str,
    data: Path | None = None,
    layout: str | None = None,
    storage: str | None = None,
    out: Path = Path("runs/sweeps"),
) -> int:
    """Search over the options of an experiment, with W&B if you are logged in, otherwise with Optuna.

    Args:
        sweep: Name of a sweep in experiments/sweeps, or the path of a YAML file.
        *words: All other options are passed to every training: see `tt-actions train --help`.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        storage: Optuna URL of a database that several workers share (default: an SQLite file in --out).
        out: Folder to write to (default: runs/sweeps).

    Returns:
        The exit code: 1 if a trial failed.
    """
    check_writable(out)
    from tt_actions.studies import sweep as sweeping

    return sweeping.sweep(sweep, out, data, storage, words, layout=layout)


def names(
    *words: str,
    sports: list[NamedSport] = ["table_tennis", "tennis"],  # noqa: B006 - only read
    runs: Path = Path("runs"),
    out: Path = FOLDER,
) -> None:
    """Make the networks that name strokes without labels: draw clips, find their joints, train.

    Args:
        *words: All other options are passed to the training: see `tt-actions train --help`.
        sports: The sports (default: both).
        runs: Folder for the trainings (default: runs).
        out: Folder for the networks (default: that of the package).
    """
    from tt_actions.studies.names import make_names

    for sport in sports:
        make_names(sport, words, runs, out)
