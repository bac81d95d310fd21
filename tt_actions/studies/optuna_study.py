"""The trials of a sweep without W&B: an Optuna study in a database that several workers share.

At the start, the study puts all trials into a queue. Each trial has a number, its *slot*. A worker takes a
trial in one database operation, so no two workers get the same one. Optuna's GridSampler is not used, since
several workers may get the same point from it, according to its documentation.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from tt_actions.errors import UserError
from tt_actions.files import lock_folder
from tt_actions.studies.sweep_file import SweepFile

HEARTBEAT_S = 10
GRACE_S = 60
"""Seconds without a heartbeat of its worker after which a trial is given to another worker."""

optuna.logging.set_verbosity(optuna.logging.ERROR)  # the worker prints its own messages

UNFINISHED = (TrialState.WAITING, TrialState.RUNNING)


class TrialFailedError(Exception):
    """The training of a trial failed; the message gives the reason."""


class SurplusError(Exception):
    """A trial duplicates another one."""


class SweepStudy:
    """The trials of a sweep, stored in a database.

    Args:
        file: The sweep.
        options: Options of every trial.
        url: Optuna storage URL of the database.
        settings: Whole configuration of the first training.
        clips: Function that reads the clips; called after the database is open.
        folder: Folder that is locked while the study is created.
        grace_s: Seconds without a heartbeat after which a worker counts as dead.

    Raises:
        OSError: If the clips do not exist.
        ValueError: If the database can't be opened, it contains this sweep with other contents, or the clips
            can't be read.
    """

    def __init__(
        self,
        file: SweepFile,
        options: Sequence[str],
        url: str,
        settings: Mapping[str, Any],
        clips: Callable[[], Sequence[Sequence[str]]],
        folder: Path,
        grace_s: int = GRACE_S,
    ) -> None:
        self.file = file
        storage, pruner = _open_storage(url, grace_s), _pruner(file, settings["trainer"]["max_epochs"])
        settings = {**settings, "clips": clips()}
        with lock_folder(
            folder, f"Waiting for another worker that is opening the sweep in '{folder}'.", wait=True
        ):
            self.study = optuna.create_study(
                study_name=file.name,
                storage=storage,
                sampler=_sampler(file),
                pruner=pruner,
                direction="maximize" if file.maximize else "minimize",
                load_if_exists=True,
            )
            self._fill(options, settings)

    def _fill(self, options: Sequence[str], settings: Mapping[str, Any]) -> None:
        """Put missing trials into the queue."""
        definition = _definition(self.file, options, settings)
        before = self.study.user_attrs.get("definition", definition)
        if before != definition:
            raise UserError(
                f"Expected the sweep '{self.file.name}' to be unchanged since its database was created, but "
                "its file, options, experiment or clips have changed. Rename the sweep file, or delete the "
                "database to start again."
            )
        self.study.set_user_attr("definition", definition)
        queued = {trial.user_attrs.get("slot") for trial in self.study.get_trials(deepcopy=False)}
        for slot, params in enumerate(_points(self.file)):
            if slot not in queued:
                self.study.enqueue_trial(params, user_attrs={"slot": slot})

    @property
    def num_trials(self) -> int:
        """Number of trials of the whole sweep."""
        return len(self.trials)

    @property
    def trials(self) -> list[FrozenTrial]:
        """The latest attempt at each trial, sorted by slot."""
        latest: dict[int, FrozenTrial] = {}
        for trial in self.study.get_trials(deepcopy=False):
            slot = trial.user_attrs.get("slot")
            if slot is not None and "surplus" not in trial.user_attrs:
                latest[slot] = trial
        return [latest[slot] for slot in sorted(latest)]

    def work(self, run: Callable[[optuna.Trial], float], waiting: Callable[[], Any]) -> None:
        """Run trials until none is left, including those of dead workers.

        Args:
            run: Function that runs a trial and returns its value; it may raise TrialPruned or
                :class:`TrialFailedError`.
            waiting: Called once when only trials of other workers are left.
        """
        has_announced = False
        while states := {trial.state for trial in self.trials} & set(UNFINISHED):
            if TrialState.WAITING in states:
                self._do_one(run)
                continue
            if not has_announced:
                waiting()
                has_announced = True
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                optuna.storages.fail_stale_trials(self.study)
            time.sleep(0.5)

    def _do_one(self, run: Callable[[optuna.Trial], float]) -> None:
        taken: list[optuna.Trial] = []

        def objective(trial: optuna.Trial) -> float:
            if self._is_surplus(trial):
                trial.set_user_attr("surplus", True)
                raise SurplusError
            taken.append(trial)
            return run(trial)

        try:
            self.study.optimize(objective, n_trials=1, catch=(TrialFailedError, SurplusError))
        except BaseException:
            if taken:  # the worker was stopped, and the trial is not finished
                _put_back(self.study, self.study.get_trials(deepcopy=False)[taken[0].number])
            raise

    def _is_surplus(self, trial: optuna.Trial) -> bool:
        """Whether a trial is not from the queue, or duplicates one that another machine queued as well."""
        slot = trial.user_attrs.get("slot")
        earlier = self.study.get_trials(deepcopy=False)[: trial.number]
        same = [other for other in earlier if other.user_attrs.get("slot") == slot]
        return slot is None or any(
            other.state != TrialState.FAIL or "error" in other.user_attrs for other in same
        )


def _open_storage(url: str, grace_s: int) -> optuna.storages.RDBStorage:
    waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return optuna.storages.RDBStorage(
                url,
                engine_kwargs=waiting,
                heartbeat_interval=min(HEARTBEAT_S, max(1, grace_s // 3)),
                grace_period=grace_s,
                heartbeat_stale_trial_callback=_put_back,
            )
        except Exception as error:  # every database driver has its own exceptions
            reason = (str(error).splitlines() or [""])[0].rstrip(".")
            raise UserError(
                f"Expected a database at '{url}', but got {type(error).__name__}: {reason}. Use a URL such "
                "as sqlite:///sweep.db or postgresql+psycopg2://user@host/name, and install the driver."
            ) from error


def _put_back(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put an interrupted trial back into the queue, unless another worker already did."""
    slot = trial.user_attrs.get("slot")
    later = study.get_trials(deepcopy=False)[trial.number + 1 :]
    if slot is not None and not any(other.user_attrs.get("slot") == slot for other in later):
        study.enqueue_trial(trial.params, user_attrs={"slot": slot})


def _definition(file: SweepFile, options: Sequence[str], settings: Mapping[str, Any]) -> str:
    content = {key: value for key, value in file.raw.items() if key not in ("run_cap", "name", "description")}
    text = json.dumps([content, list(options), settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _points(file: SweepFile) -> list[dict[str, Any]]:
    """Return the parameters to fix for each trial: all for grid and random, none for bayes."""
    if file.method == "bayes":
        return [{}] * (file.run_cap or 0)
    if file.method == "grid":
        grid = [_encode(file, point) for point in file.grid]
        return grid[: file.run_cap]
    drawing = optuna.create_study(sampler=RandomSampler(seed=0))
    points: dict[str, dict[str, Any]] = {}
    for _ in range(100 * (file.run_cap or 0)):  # a small space may have fewer points
        if len(points) == file.run_cap:
            break
        trial = drawing.ask()
        for parameter in file.parameters:
            parameter.suggest(trial)
        points.setdefault(json.dumps(trial.params), trial.params)
    return list(points.values())


def _encode(file: SweepFile, point: dict[str, Any]) -> dict[str, Any]:
    return {p.name: json.dumps(point[p.name]) for p in file.parameters if not p.is_fixed}


def _sampler(file: SweepFile) -> BaseSampler:
    if file.method != "bayes":
        return RandomSampler(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(constant_liar=True)  # no seed: all workers would draw the same points


def _pruner(file: SweepFile, max_epochs: int) -> BasePruner:
    """Create Hyperband with W&B's brackets.

    The shortest is ``min_iter``, or ``max_iter`` divided ``s`` times by ``eta``.
    """
    given = file.early_terminate
    if given is None:
        return NopPruner()
    eta = given.get("eta", 3)
    longest = given.get("max_iter", max_epochs)
    shortest = given["min_iter"] if "min_iter" in given else max(1, longest // eta ** given["s"])
    if not shortest < longest <= max_epochs:
        raise UserError(
            "Expected `early_terminate` to start before its end and to end by `trainer.max_epochs`, "
            f"{max_epochs}, but it goes from epoch {shortest} to {longest}."
        )
    return HyperbandPruner(min_resource=shortest, max_resource=longest, reduction_factor=eta)
