"""Sweep files in W&B's YAML format, read and checked before the first training."""

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tt_actions.errors import UserError
from tt_actions.studies.trainings import read_settings
from tt_actions.training.own_metrics import check_validation_metric

if TYPE_CHECKING:
    import optuna

SWEEPS = Path("experiments/sweeps")
ARGS = "${args}"
KEYS = {"program", "command", "name", "description", "method", "metric", "run_cap"}
KEYS |= {"early_terminate", "parameters"}
RANGES = ("uniform", "int_uniform", "q_uniform", "log_uniform_values")
"""The distributions of a range that both W&B and Optuna support."""


@dataclass(frozen=True)
class Parameter:
    """An option that a sweep sets, and its possible values.

    Args:
        name: Name of the option, with dots.
        values: All possible values; empty for a range.
        low: Lower end of a range.
        high: Upper end of a range.
        step: Step between the values of a range, or None.
        log: Whether values of a range are drawn on a logarithmic scale.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    @property
    def examples(self) -> tuple[Any, ...]:
        """All values, or the ends of the range."""
        return self.values or (self.low, self.high)

    @property
    def is_fixed(self) -> bool:
        """Whether there is only one value."""
        return len(self.values) == 1

    def suggest(self, trial: "optuna.Trial") -> Any:
        """Return a trial's value of this option.

        Args:
            trial: An Optuna trial.
        """
        if self.is_fixed:
            return self.values[0]
        if self.values:  # as text, since Optuna can't store lists
            choices = [json.dumps(value) for value in self.values]
            return json.loads(trial.suggest_categorical(self.name, choices))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high, step=int(self.step or 1))
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def word(self, value: Any) -> str:
        """Return the option with a value in the form that W&B's agent uses on the command line.

        Args:
            value: The value.

        >>> Parameter("model.network.init_args.channels", ([16, 32],)).word([16, 32])
        '--model.network.init_args.channels=[16, 32]'
        """
        return f"--{self.name}={value}"


@dataclass(frozen=True)
class SweepFile:
    """A search over the options of one experiment.

    Args:
        name: Name of the sweep, which is the name of the file.
        raw: Contents of the file.
        words: Options of all trials, including the experiment's YAML.
        method: ``grid``, ``random`` or ``bayes``.
        metric: The validation metric to optimise.
        maximize: Whether higher values of the metric are better.
        parameters: The options to search over.
        early_terminate: Options of Hyperband, or None.
        run_cap: Number of trials; None for the full grid.
    """

    name: str
    raw: dict[str, Any]
    words: tuple[str, ...]
    method: str
    metric: str
    maximize: bool
    parameters: tuple[Parameter, ...]
    early_terminate: dict[str, Any] | None
    run_cap: int | None

    @property
    def grid(self) -> Iterator[dict[str, Any]]:
        """All points of a grid, each as option -> value."""
        names = [parameter.name for parameter in self.parameters]
        for values in itertools.product(*(parameter.values for parameter in self.parameters)):
            yield dict(zip(names, values, strict=True))

    def trial_words(self, point: dict[str, Any], options: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the options of one trial.

        Args:
            point: Option -> value.
            options: Options to insert between those of the file and those of the trial.
        """
        own = [parameter.word(point[parameter.name]) for parameter in self.parameters]
        return (*self.words, *options, *own)


def find_sweep(sweep: str) -> Path:
    """Return the path of a sweep's file.

    Args:
        sweep: Name of a sweep in ``experiments/sweeps``, or the path of a YAML file.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    path = Path(sweep) if sweep.endswith((".yaml", ".yml")) else SWEEPS / f"{sweep}.yaml"
    if not path.is_file():
        available = ", ".join(sorted(file.stem for file in SWEEPS.glob("*.yaml"))) or "none"
        raise FileNotFoundError(
            f"Expected a sweep, but there is no '{path}'. Use one of those in '{SWEEPS}': {available}."
        )
    return path


def _read_metric(metric: Any, path: Path) -> dict[str, str]:
    if not isinstance(metric, dict) or metric.get("goal") not in ("minimize", "maximize"):
        raise UserError(
            "Expected `metric` to have a `name` and a `goal`, minimize or maximize, "
            f"but got {metric} in '{path}'."
        )
    _check_keys(metric, {"name", "goal"}, "`metric`")
    check_validation_metric(str(metric.get("name")), "metric.name")
    return {"name": str(metric["name"]), "goal": metric["goal"]}


def read_sweep(path: Path) -> SweepFile:
    """Read a sweep file.

    Args:
        path: The YAML file.

    Raises:
        ValueError: If the file is invalid.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"Expected '{path}' to be YAML, but got: {' '.join(str(error).split())}.") from error
    raw = raw if isinstance(raw, dict) else {}
    _check_keys(raw, KEYS, f"'{path}'")
    method = raw.get("method")
    if method not in ("grid", "random", "bayes"):
        raise UserError(f"Expected `method` to be grid, random or bayes, but got {method!r} in '{path}'.")
    metric = _read_metric(raw.get("metric"), path)
    run_cap = raw.get("run_cap")
    if not (_is_count(run_cap) or (run_cap is None and method == "grid")):
        raise UserError(
            f"Expected `run_cap`, the number of trials, to be a whole number from 1 with `method: {method}`, "
            f"but got {run_cap!r} in '{path}'."
        )
    parameters = raw.get("parameters")
    if not isinstance(parameters, dict) or not parameters:
        raise UserError(
            f"Expected `parameters` with the options to search over, but got {parameters!r} in '{path}'."
        )
    read = tuple(_read_parameter(str(name), given) for name, given in parameters.items())
    if method == "grid" and (ranged := [parameter.name for parameter in read if not parameter.values]):
        raise UserError(
            f"Expected `values` for `{ranged[0]}`, since `method: grid` tries each value, but got a range."
        )
    return SweepFile(
        name=path.stem,
        raw=raw,
        words=_command_words(raw.get("command"), path),
        method=str(method),
        metric=metric["name"],
        maximize=metric["goal"] == "maximize",
        parameters=read,
        early_terminate=_read_early_terminate(raw.get("early_terminate")),
        run_cap=run_cap,
    )


def _check_keys(given: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := [str(key) for key in given if key not in known]:
        raise UserError(
            f"Expected {where} to contain only the keys {', '.join(sorted(known))}, but got `{unknown[0]}`."
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _command_words(command: Any, path: Path) -> tuple[str, ...]:
    words = [str(word) for word in command] if isinstance(command, list) else []
    if "train" not in words or words[-1] != ARGS or words.count(ARGS) != 1 or "--config" not in words:
        raise UserError(
            "Expected `command` to be [tt-actions, train, --config, an experiment's YAML, ..., "
            f"\"{ARGS}\"], but got {command} in '{path}'."
        )
    return tuple(words[words.index("train") + 1 : -1])


def _read_parameter(name: str, given: Any) -> Parameter:
    if not isinstance(given, dict):
        raise UserError(f"Expected `{name}` to have value, values, or min and max, but got {given!r}.")
    if "parameters" in given:
        raise UserError(
            f"Expected `{name}` to be the full name of an option, but got nested `parameters`. "
            f"Write `{name}.key` for each of them."
        )
    distribution = given.get("distribution")
    if "value" in given or "values" in given:
        _check_keys(given, {"value", "values", "distribution"}, f"`{name}`")
        values = given["values"] if "values" in given else [given["value"]]
        fitting = {None, "categorical"} if "values" in given else {None, "constant"}
        texts = [json.dumps(value, default=str) for value in values] if isinstance(values, list) else []
        if distribution not in fitting or len(given) > 2 or not texts or len(set(texts)) < len(texts):
            raise UserError(f"Expected `{name}` to have one `value`, or different `values`, but got {given}.")
        if None in values:
            raise UserError(
                f'Expected `{name}` to have "null" in quotes, since W&B writes null as None, but got {given}.'
            )
        return Parameter(name, tuple(values))
    _check_keys(given, {"min", "max", "distribution", "q"}, f"`{name}`")
    return _read_range(name, given)


def _read_range(name: str, given: dict[str, Any]) -> Parameter:
    low: Any = given.get("min")
    high: Any = given.get("max")
    q: Any = given.get("q")
    kinds = {type(low), type(high)}
    if kinds not in ({int}, {float}) or not low < high or not math.isfinite(high - low):
        hint = " Write 1.0e-4, since YAML reads 1e-4 as text." if str in kinds else ""
        raise UserError(
            f"Expected `{name}` to have a `min` below its `max`, both whole numbers or both with a decimal "
            f"point, but got {low!r} and {high!r}.{hint}"
        )
    distribution = given.get("distribution") or ("int_uniform" if kinds == {int} else "uniform")
    if distribution not in RANGES:
        raise UserError(
            f"Expected the distribution of `{name}` to be one of {', '.join(RANGES)}, "
            f"but got {distribution!r}."
        )
    log, quantised = distribution == "log_uniform_values", distribution == "q_uniform"
    if log and low <= 0:
        raise UserError(f"Expected the `min` of `{name}` to be above 0 with {distribution}, but got {low}.")
    if distribution == "int_uniform" and kinds != {int}:
        raise UserError(f"Expected whole numbers for `{name}` with {distribution}, but got {low} and {high}.")
    if quantised != (q is not None) or (
        quantised and not (isinstance(q, int | float) and 0 < q <= high - low)
    ):
        raise UserError(
            f"Expected `{name}` to have a `q` above 0, at most the range, with q_uniform, and otherwise no "
            f"`q`, but got {q!r}."
        )
    if distribution == "int_uniform" or (quantised and kinds == {int} and isinstance(q, int)):
        return Parameter(name, (), low, high, q)
    return Parameter(name, (), float(low), float(high), float(q) if quantised else None, log)


def _read_early_terminate(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("type") != "hyperband":
        raise UserError(f"Expected `early_terminate` to be of `type: hyperband`, but got {given}.")
    _check_keys(given, {"type", "min_iter", "max_iter", "s", "eta"}, "`early_terminate`")
    counts = {key: value for key, value in given.items() if key != "type"}
    wrong = [key for key, value in counts.items() if not _is_count(value)]
    if wrong or counts.get("eta", 3) < 2 or ("min_iter" in given) == ("max_iter" in given):
        raise UserError(
            "Expected `early_terminate` to have either `min_iter`, or `max_iter` and `s`, as positive whole "
            f"numbers, and an `eta` of at least 2, but got {given}."
        )
    if ("s" in given) != ("max_iter" in given):
        raise UserError(f"Expected `s`, the number of brackets, together with `max_iter`, but got {given}.")
    return counts


def check_options(file: SweepFile, options: Sequence[str]) -> dict[str, Any]:
    """Check before the first trial that `train` accepts all options and values of a sweep.

    Args:
        file: The sweep.
        options: Options of every trial.

    Returns:
        The configuration of the first checked training.

    Raises:
        ValueError: If an option, a parameter or one of its values is invalid, or there are no validation
            clips.
    """
    base = ("train", *file.words, *options)
    try:
        read_settings(base)
    except UserError as error:
        raise UserError(f"Expected options of `train`, but `{' '.join(base)}` failed: {error}") from None
    settings = []
    most = max(len(parameter.examples) for parameter in file.parameters)
    for index in range(most):  # check several values with one command line, since parsing is slow
        point = {p.name: p.examples[index % len(p.examples)] for p in file.parameters}
        try:
            settings.append(read_settings(["train", *file.trial_words(point, options)]))
        except UserError:
            _raise_for_option(file, base, point)
            raise
    if any(trial["data"]["val_share"] == 0 for trial in settings):
        raise UserError(
            f"Expected validation clips, since `metric` is {file.metric}, but got `data.val_share` 0. "
            "Raise it, for example with `--data.val_share 0.15`."
        )
    return settings[0]


def _raise_for_option(file: SweepFile, base: Sequence[str], point: dict[str, Any]) -> None:
    for parameter in file.parameters:
        value = point[parameter.name]
        try:
            read_settings([*base, parameter.word(value)])
        except UserError as error:
            raise UserError(
                f"Expected `train` to accept the value {value} of `{parameter.name}` in the sweep "
                f"'{file.name}', but got an error: {error}"
            ) from None
