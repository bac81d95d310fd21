"""The trials of a sweep without W&B: an Optuna study in a database that several workers share.

All trials are put into the queue when a study begins, each with a number, its *slot*: a worker takes one as a
database takes a row, so that no two workers have the same. Optuna's own GridSampler, whose documentation says
that workers may get the same point, is therefore asked nothing here.
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
"""A trial whose worker has not been heard of for so long is given to another."""

optuna.logging.set_verbosity(optuna.logging.ERROR)  # the worker tells what it does itself

UNFINISHED = (TrialState.WAITING, TrialState.RUNNING)


class TrialFailedError(Exception):
    """A trial's training has failed; its message says why."""


class SurplusError(Exception):
    """A trial that another one does already."""


class SweepStudy:
    """The trials of a sweep.

    Args:
        file: The sweep.
        options: Options of every trial.
        url: Database: an Optuna storage URL.
        settings: Whole configuration of its first training.
        clips: Reads its clips, once the database is open.
        folder: Folder that is locked while the study is made.
        grace_s: Seconds after which a worker that is not heard of counts as dead.

    Raises:
        OSError: If the clips are not there.
        ValueError: If the database can't be opened, or holds this sweep with other content, or the clips
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
            folder, f"Waiting for another worker that opens the sweep in '{folder}'.", wait=True
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
        """Put the trials that are not there yet into the queue."""
        definition = _definition(self.file, options, settings)
        before = self.study.user_attrs.get("definition", definition)
        if before != definition:
            raise UserError(
                f"Expected the sweep '{self.file.name}' as its database knows it, but its file, options, "
                "experiment or clips have changed since. Give the new file another name, or delete the "
                "database to begin anew."
            )
        self.study.set_user_attr("definition", definition)
        there = {trial.user_attrs.get("slot") for trial in self.study.get_trials(deepcopy=False)}
        for slot, params in enumerate(_points(self.file)):
            if slot not in there:
                self.study.enqueue_trial(params, user_attrs={"slot": slot})

    @property
    def num_trials(self) -> int:
        """Number of trials of the whole sweep."""
        return len(self.trials)

    @property
    def trials(self) -> list[FrozenTrial]:
        """The last attempt at each trial, by slot."""
        latest: dict[int, FrozenTrial] = {}
        for trial in self.study.get_trials(deepcopy=False):
            slot = trial.user_attrs.get("slot")
            if slot is not None and "surplus" not in trial.user_attrs:
                latest[slot] = trial
        return [latest[slot] for slot in sorted(latest)]

    def work(self, run: Callable[[optuna.Trial], float], waiting: Callable[[], Any]) -> None:
        """Do trials until none is left, those of workers that have died too.

        Args:
            run: Does a trial and returns its value; it raises TrialPruned, or :class:`TrialFailedError`.
            waiting: Called once when only trials of other workers are left.
        """
        told = False
        while states := {trial.state for trial in self.trials} & set(UNFINISHED):
            if TrialState.WAITING in states:
                self._do_one(run)
                continue
            if not told:
                waiting()
                told = True
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
            if taken:  # whatever stopped the worker, the trial is to be done yet
                _put_back(self.study, self.study.get_trials(deepcopy=False)[taken[0].number])
            raise

    def _is_surplus(self, trial: optuna.Trial) -> bool:
        """Whether the queue was empty, or workers of two machines have filled it at once."""
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
        except Exception as error:  # of whatever driver
            said = str(error).splitlines()[0]
            raise UserError(
                f"Expected a database at '{url}', but got {type(error).__name__}: {said} Use a URL such as "
                "sqlite:///sweep.db or postgresql+psycopg2://user@host/name, and install the driver."
            ) from error


def _put_back(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put an interrupted trial into the queue again, unless another worker has done so."""
    slot = trial.user_attrs.get("slot")
    later = study.get_trials(deepcopy=False)[trial.number + 1 :]
    if slot is not None and not any(other.user_attrs.get("slot") == slot for other in later):
        study.enqueue_trial(trial.params, user_attrs={"slot": slot})


def _definition(file: SweepFile, options: Sequence[str], settings: Mapping[str, Any]) -> str:
    content = {key: value for key, value in file.raw.items() if key not in ("run_cap", "name", "description")}
    text = json.dumps([content, list(options), settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _points(file: SweepFile) -> list[dict[str, Any]]:
    """What Optuna is to be told of each trial: all for grid and random, nothing for bayes."""
    if file.method == "bayes":
        return [{}] * (file.run_cap or 0)
    if file.method == "grid":
        grid = [_told(file, point) for point in file.grid]
        return grid[: file.run_cap]
    drawing = optuna.create_study(sampler=RandomSampler(seed=0))
    points: dict[str, dict[str, Any]] = {}
    for _ in range(100 * (file.run_cap or 0)):  # a small space may hold fewer points
        if len(points) == file.run_cap:
            break
        trial = drawing.ask()
        for parameter in file.parameters:
            parameter.suggest(trial)
        points.setdefault(json.dumps(trial.params), trial.params)
    return list(points.values())


def _told(file: SweepFile, point: dict[str, Any]) -> dict[str, Any]:
    return {p.name: json.dumps(point[p.name]) for p in file.parameters if not p.is_fixed}


def _sampler(file: SweepFile) -> BaseSampler:
    if file.method != "bayes":
        return RandomSampler(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(constant_liar=True)  # without a seed, which would have all workers draw the same


def _pruner(file: SweepFile, max_epochs: int) -> BasePruner:
    """Hyperband with W&B's brackets: ``min_iter``, or ``max_iter`` divided by ``eta`` ``s`` times."""
    given = file.early_terminate
    if given is None:
        return NopPruner()
    eta = given.get("eta", 3)
    longest = given.get("max_iter", max_epochs)
    shortest = given["min_iter"] if "min_iter" in given else max(1, longest // eta ** given["s"])
    if not shortest < longest <= max_epochs:
        raise UserError(
            "Expected `early_terminate` to begin before and to end by the last epoch, `trainer.max_epochs` "
            f"{max_epochs}, but it goes from {shortest} to {longest}."
        )
    return HyperbandPruner(min_resource=shortest, max_resource=longest, reduction_factor=eta)
