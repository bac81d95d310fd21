"""The run directory ``runs/<experiment>/version_<n>/``, its checkpoints and its ``metrics.csv``."""

import csv
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import TorchCheckpointIO

from tt_actions.errors import UserError
from tt_actions.files import explain_failure, is_first_process, lock_folder, write_atomically
from tt_actions.training.processes import decided_by_first

RUN_DIR_VARIABLE = "TT_ACTIONS_RUN_DIR"
"""Environment variable with the run directory for all processes of a run.

The first process sets it for the processes that it starts. A user who starts them all sets it for all.
"""


def create_run_dir(runs: Path, experiment: str) -> Path:
    """Create the next free ``version_<n>`` directory; safe if several runs start at the same time.

    Args:
        runs: Folder of all runs.
        experiment: Name of the experiment.

    Returns:
        The new, empty directory, the same in all processes that torchrun or srun started. If
        :data:`RUN_DIR_VARIABLE` is set, its directory.

    Raises:
        ValueError: If the directory in :data:`RUN_DIR_VARIABLE` already contains a run.
        OSError: If the directory can't be created.
    """
    given = os.environ.get(RUN_DIR_VARIABLE)
    if given and is_first_process() and (Path(given) / "config.yaml").exists():
        raise UserError(
            f"Expected `{RUN_DIR_VARIABLE}` to be a new directory, but '{given}' contains a run. "
            f"Choose another, or resume this run: `--resume {given}`."
        )
    folder = runs / experiment
    try:
        if given:
            Path(given).mkdir(parents=True, exist_ok=True)
            return Path(given)
        return Path(decided_by_first("run_dir", lambda: str(_next_version(folder))))
    except OSError as error:
        raise OSError(
            f"Expected to create a directory for the run in '{given or folder}', but got: {error.strerror}. "
            "Choose another folder with `--runs`."
        ) from error


def _next_version(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    version = 0
    while True:
        run_dir = folder / f"version_{version}"
        try:
            run_dir.mkdir()
        except FileExistsError:
            version += 1
        else:
            return run_dir


def lock_run_dir(run_dir: Path) -> FileLock:
    """Lock a run directory, so that no other process trains in it.

    Args:
        run_dir: The run's directory.

    Returns:
        The lock. Release it after the training; it is also released when the process ends.

    Raises:
        ValueError: If another process has locked the directory.
    """
    in_use = f"Expected a stopped run, but another process is training in '{run_dir}'."
    return lock_folder(run_dir, in_use).lock


def resumable_checkpoint(run_dir: Path) -> Path:
    """Return the checkpoint from which a stopped run resumes.

    Args:
        run_dir: The run's directory.

    Returns:
        Its last checkpoint.

    Raises:
        FileNotFoundError: If the directory contains no config or no checkpoint.
    """
    checkpoint = run_dir / "checkpoints" / "last.ckpt"
    for path in (run_dir / "config.yaml", checkpoint):
        if not path.is_file():
            raise FileNotFoundError(
                f"Expected a run directory such as runs/cnn_lstm/version_0, but there is no '{path}'. "
                "A run writes this file when its training begins."
            )
    return checkpoint


class ChangedConfig(SaveConfigCallback):
    """Saves the new config of a run that is resumed with other options, next to its previous configs."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Save the config, after the callbacks before this one have accepted the run.

        Args:
            trainer: The trainer.
            pl_module: The model.
            stage: The stage that is about to run.
        """
        if self.already_saved or not trainer.is_global_zero:
            return
        path = Path(trainer.default_root_dir) / self.config_filename
        number = len(list(path.parent.glob("config_*.yaml")))
        shutil.copyfile(path, path.with_name(f"config_{number}.yaml"))
        config = self.config.clone()
        config["ckpt_path"] = None  # a new run with this config does not load the checkpoint
        with write_atomically(path) as temporary:
            temporary.write_text(self.parser.dump(config, skip_none=False), encoding="utf-8")
        self.already_saved = True


class WholeCheckpoints(TorchCheckpointIO):
    """Saves checkpoints atomically: a killed process or a full disk never leaves a partial file.

    Lightning's own plugin writes to the system's temporary folder. If that is on another file system, it
    copies the new checkpoint over the previous one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Path | str, storage_options: Any = None
    ) -> None:
        """Save a checkpoint.

        Args:
            checkpoint: Contents of the checkpoint.
            path: File to write.
            storage_options: Not used, since the file is local.

        Raises:
            OSError: If the file can't be written.
        """
        del storage_options
        path = Path(path)
        with write_atomically(path, _resuming(path.parent.parent)) as temporary, temporary.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # torch raises it when the disk is full
                hidden = error.__context__
                raise (
                    hidden if isinstance(hidden, OSError) else OSError(str(error).splitlines()[0])
                ) from error


class RunCSVLogger(CSVLogger):
    """A CSVLogger that writes ``metrics.csv`` in the run directory and continues it after a resume.

    Args:
        run_dir: The run's directory.
        resume_step: Global step from which the run resumes; later rows of an earlier attempt are dropped.
    """

    def __init__(self, run_dir: Path, resume_step: int | None = None) -> None:
        super().__init__(run_dir, name="", version="")
        self._file = run_dir / "metrics.csv"
        self._rows = [] if resume_step is None else _read_metrics(self._file, resume_step)

    @property
    @rank_zero_only
    def experiment(self) -> Any:
        """The CSV writer, which starts with the rows of the run so far."""
        if self._experiment is None:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Experiment logs directory")  # the rows are kept below
                writer = super().experiment
            writer.metrics.extend(self._rows)
        return super().experiment

    @rank_zero_only
    def save(self) -> None:
        """Write the rows that were added since the last call.

        Raises:
            OSError: If they can't be written.
        """
        with explain_failure(self._file, _resuming(self._file.parent)):
            super().save()


def _resuming(run_dir: Path) -> str:
    return f"and resume: `tt-actions train --resume {run_dir}`"


def _read_metrics(path: Path, resume_step: int) -> list[dict[str, float]]:
    """Read the rows before a step, except for rows that a full disk or a killed process left incomplete."""
    if not path.is_file():
        return []
    whole = path.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
    rows: list[dict[str, float]] = []
    for cells in csv.DictReader(whole.splitlines()):
        with suppress(ValueError, TypeError, KeyError):  # TypeError: a row with too many cells
            row = {name: float(cell) for name, cell in cells.items() if cell}
            row.update({name: int(row[name]) for name in ("step", "epoch") if name in row})
            if row["step"] < resume_step:
                rows.append(row)
    return rows
