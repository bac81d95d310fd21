"""The metrics that an experiment adds to ours, by class path."""

import inspect
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torchmetrics
import torchmetrics.classification
from torchmetrics import Metric

from tt_actions.class_paths import ADVICE, is_trusted
from tt_actions.errors import UserError
from tt_actions.evaluation.clip_metrics import build_frame_metrics, build_metrics
from tt_actions.evaluation.segment_metrics import STROKE_FIGURES
from tt_actions.training.parser import refused_by_library

Entry = str | Mapping[str, Any]
"""A class path, or a mapping with ``class_path``, and perhaps ``init_args`` and ``name``."""

KEYS = ("class_path", "init_args", "name")

OF_EVERY_METRIC = ("compute_on_cpu", "sync_on_compute", "compute_with_cache", "dist_sync_on_step")
"""Arguments that the metrics of torchmetrics pass on to their base class."""

METRICS_HELP = (
    "Metrics of torchmetrics or of a trusted package, in addition to ours: a list of class paths, or of "
    "mappings with class_path, init_args and name. The number of classes is filled in."
)


def check_metrics(entries: Sequence[Entry] | None) -> list[str]:
    """Check the metrics of an experiment before any work, and return their names.

    Args:
        entries: The metrics, as in the experiment's YAML; None for none.

    Raises:
        UserError: If an entry names no metric, or its name or an argument can't be used.
    """
    names: list[str] = []
    ours = {"loss", *build_metrics(2), *build_frame_metrics(2), *STROKE_FIGURES}
    for settings in map(_read, entries or ()):
        if settings["name"] in ours or settings["name"] in names:
            raise UserError(
                f"Expected a new name for each of `metrics`, but got '{settings['name']}' again. Add `name` "
                "to one of them."
            )
        names.append(settings["name"])
        _check(_find(settings["class_path"]), settings["init_args"])
    return names


def make_metrics(entries: Sequence[Entry] | None, num_classes: int) -> dict[str, Metric]:
    """Create the metrics of an experiment, by name.

    Without a ``name``, ``MulticlassCohenKappa`` is ``cohen_kappa``. The argument ``num_classes`` is filled in
    where a class has it.

    Args:
        entries: The metrics, as in the experiment's YAML; None for none.
        num_classes: Number of classes *K*.

    Raises:
        UserError: If a class refuses its arguments.

    >>> make_metrics(["torchmetrics.classification.MulticlassCohenKappa"], 4)
    {'cohen_kappa': MulticlassCohenKappa()}
    """
    made: dict[str, Metric] = {}
    for settings in map(_read, entries or ()):
        kind = _find(settings["class_path"])
        filled = {"num_classes": num_classes} if "num_classes" in inspect.signature(kind).parameters else {}
        with refused_by_library(f"metrics: {kind.__name__}"):
            made[settings["name"]] = kind(**{**filled, **settings["init_args"]})
    return made


def _read(entry: Entry) -> dict[str, Any]:
    """Bring an entry into its long form."""
    settings = {"class_path": entry} if isinstance(entry, str) else dict(entry)
    path, unknown = settings.get("class_path"), [key for key in settings if key not in KEYS]
    if not isinstance(path, str) or unknown:
        raise UserError(
            f"Expected each of `metrics` to be a class path, or to have {', '.join(KEYS)}, but got {entry}. "
            "See the tutorial for engineers."
        )
    short = path.rpartition(".")[2].removeprefix("Multiclass")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", short).lower()
    return {"name": name, "init_args": {}, **settings}


def _check(kind: type[Metric], options: Mapping[str, Any]) -> None:
    """Check the arguments of a metric, and those of its ``update``."""
    parameters = inspect.signature(kind).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    has_more = len(known) < len(parameters) and not kind.__module__.startswith("torchmetrics.")
    unknown = [name for name in options if name not in (*known, *OF_EVERY_METRIC)]
    if unknown and not has_more:
        raise UserError(
            f"Expected arguments of `{kind.__name__}` ({', '.join(known) or 'it has none'}), but got "
            f"`{unknown[0]}`. Correct `init_args`."
        )
    taken = list(inspect.signature(kind.update).parameters)[1:]
    if not {"args", "kwargs"} & set(taken) and not set(taken) <= {"preds", "target", "logits", "lengths"}:
        raise UserError(
            f"Expected `update` of `{kind.__name__}` to take only preds, target, logits and lengths, but it "
            f"takes {', '.join(taken)}. Use a metric of classes."
        )


def _find(path: str) -> type[Metric]:
    """Import a metric; only those of torchmetrics and of trusted packages are imported."""
    kind: Any = _of_torchmetrics().get(path)
    if kind is None and is_trusted(path):
        module, _, name = path.rpartition(".")
        try:
            kind = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"Expected `metrics` to name a class, but got '{path}': {error}.") from error
    if kind is None:
        raise UserError(
            f"Expected `metrics` to name a class of torchmetrics, but got '{path}', which was not imported. "
            f"{ADVICE}"
        )
    if not (isinstance(kind, type) and issubclass(kind, Metric)):
        raise UserError(f"Expected `metrics` to name subclasses of torchmetrics.Metric, but got '{path}'.")
    return kind


def _of_torchmetrics() -> dict[str, type[Metric]]:
    """The metrics of torchmetrics by their paths, and by their bare names."""
    found: dict[str, type[Metric]] = {}
    for module in (torchmetrics, torchmetrics.classification):
        for name, member in vars(module).items():
            if isinstance(member, type) and issubclass(member, Metric):
                paths = (name, f"{module.__name__}.{name}", f"{member.__module__}.{member.__qualname__}")
                found |= dict.fromkeys(paths, member)
    return found


def check_validation_metric(metric: str, argument: str, own: Sequence[str] = ()) -> None:
    """Check that a name is the name of a validation metric.

    Args:
        metric: Name of a metric.
        argument: Argument with the name, for the message.
        own: Names of the metrics that the experiment adds.

    Raises:
        ValueError: If it is no validation metric.
    """
    ours = [*build_metrics(2), *build_frame_metrics(2), *STROKE_FIGURES]  # of clips, or of recordings
    names = ["val/loss", *(f"val/{name}" for name in dict.fromkeys([*ours, *own]))]
    overall = [name for name in names if name != "val/class_accuracy"]
    if metric not in overall and metric.rpartition("/")[0] not in names:
        raise UserError(
            f"Expected `{argument}` to be one of {', '.join(overall)}, or a metric of one class, such as "
            f"val/class_accuracy/serve, but got '{metric}'."
        )
