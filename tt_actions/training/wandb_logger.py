"""Tracking on Weights & Biases: the configuration of a run, its metrics and its report."""

import csv
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger

from tt_actions.evaluation.clip_scores import ALL_ENDS, CLASS_COLUMNS, OVERALL
from tt_actions.evaluation.pr_roc import AXES, CurveKind
from tt_actions.evaluation.predictions import Predictions, prediction_rows
from tt_actions.evaluation.worst_clips import WorstClip

if TYPE_CHECKING:
    import wandb


@dataclass(frozen=True)
class WandbOptions:
    """Options for tracking runs on Weights & Biases; their defaults come from W&B's environment variables.

    Args:
        mode: ``auto`` uses ``WANDB_MODE`` if it is set, and otherwise online if you are logged in and offline
            if not. Upload an offline run later with ``wandb sync``.
        project: Name of the project (default: ``WANDB_PROJECT``, or tt_actions).
        entity: User or team (default: ``WANDB_ENTITY``, or that of the account).
        group: Name that groups runs (default: ``WANDB_RUN_GROUP``, or the name of the experiment).
        tags: Tags of the run (default: ``WANDB_TAGS``).
    """

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    project: str | None = None
    entity: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, variable, default in (
            ("project", "WANDB_PROJECT", "tt_actions"),
            ("entity", "WANDB_ENTITY", None),
            ("group", "WANDB_RUN_GROUP", None),
        ):
            object.__setattr__(self, name, getattr(self, name) or os.environ.get(variable) or default)

    @property
    def is_disabled(self) -> bool:
        """Whether tracking is disabled."""
        return (os.environ.get("WANDB_MODE") if self.mode == "auto" else self.mode) == "disabled"

    def resolved_mode(self) -> str:
        """Return the mode that applies: online, offline or disabled."""
        if self.mode != "auto":
            return self.mode
        if given := os.environ.get("WANDB_MODE"):
            return given
        import wandb

        return "online" if wandb.login(prompt=False, verify=False) else "offline"


class Tracker(Logger):
    """Logger for W&B that reports a failure once and never stops or delays the training.

    Args:
        options: Mode, project and names.
        run_dir: The run's directory; offline files go to its ``wandb`` folder.
        experiment: Name of the experiment.
        command: Command of the run, such as train; W&B shows it as the job type.
        config: The run's whole configuration, as plain types.
    """

    def __init__(
        self, options: WandbOptions, run_dir: Path, experiment: str, command: str, config: dict[str, Any]
    ) -> None:
        super().__init__()
        self.options, self.run_dir, self._name = options, run_dir, experiment
        self.command, self.config = command, config
        self._run: wandb.Run | None = None
        self._failed = False

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self._name

    @property
    def version(self) -> str:
        """Name of the run directory."""
        return self.run_dir.name

    def attempt(self, action: "Callable[[wandb.Run], Any]") -> None:
        """Perform an action on the W&B run; after the first failure, warn and stop tracking.

        Args:
            action: Function of the run. The run is started first if necessary.
        """
        if self._failed:
            return
        try:
            action(self._started())
        except Exception as error:
            self._failed = True
            warnings.warn(
                f"W&B failed and is disabled for the rest of the run ({type(error).__name__}: {error}). "
                f"All results are still saved in '{self.run_dir}'.",
                stacklevel=2,
            )

    def _started(self) -> "wandb.Run":
        if self._run is None:
            mode = None
            try:
                mode = self.options.resolved_mode()
                self._run = self._start(mode)
            except Exception as error:
                if mode not in (None, "online"):
                    raise
                warnings.warn(
                    f"W&B can't be reached ({type(error).__name__}: {error}). The run is tracked offline; "
                    f"upload it later: `wandb sync {self.run_dir / 'wandb' / 'offline-run-*'}`.",
                    stacklevel=4,
                )
                self._run = self._start("offline")
        return self._run

    def _start(self, mode: str) -> "wandb.Run":
        import wandb

        run = wandb.init(
            name=f"{self._name}/{self.version}",
            dir=self.run_dir,
            project=self.options.project,
            entity=self.options.entity,
            group=self.options.group or self._name,
            job_type=self.command,
            tags=self.options.tags or None,
            config=self.config,
            mode=mode,  # type: ignore[arg-type]  # W&B checks it
            reinit="create_new",  # even if another run is active in this process
            settings=wandb.Settings(init_timeout=15, console="off", silent=True),
        )
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        if (monitor := self.config.get("monitor")) and run.sweep_id is None:  # a sweep reads the plain value
            best = "min" if monitor.endswith("loss") else "max"
            run.define_metric(monitor, step_metric="trainer/global_step", step_sync=True, summary=best)
        return run

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log metrics.

        Args:
            metrics: The metrics by name.
            step: Global step.
        """
        at = {} if step is None else {"trainer/global_step": step}
        self.attempt(lambda run: run.log({**metrics, **at}))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run starts with its whole configuration.

        Args:
            params: A part of the configuration.
            args: Not used.
            kwargs: Not used.
        """

    @rank_zero_only
    def finish(self, exit_code: int) -> None:
        """Upload the remaining data and finish the run.

        Args:
            exit_code: Exit code of the command; any other than 0 marks the run as failed.
        """
        if self._run is not None:
            self.attempt(lambda run: run.finish(exit_code))


def log_best_checkpoint(run: "wandb.Run", checkpoint: Path, epoch: int, score: float | None) -> None:
    """Log the best checkpoint of a training to W&B: the file as an artifact, its epoch in the summary.

    The artifact refers to the file in place.

    Args:
        run: A run that is not finished.
        checkpoint: The checkpoint.
        epoch: Its epoch, counted from 1.
        score: Its value of the metric that selects the best checkpoint; None without such a metric.
    """
    import wandb

    run.summary.update({"best_epoch": epoch})
    facts = {"epoch": epoch, "score": score}
    artifact = wandb.Artifact(f"checkpoint-{run.id}", type="model", metadata=facts)
    artifact.add_file(str(checkpoint.resolve()), skip_cache=True, policy="immutable")
    run.log_artifact(artifact, aliases=["best"])


def log_report(run: "wandb.Run", folder: Path, predictions: Predictions, worst: Sequence[WorstClip]) -> None:
    """Log a report of clips to W&B: summary, page, tables, charts, images and videos, and the files.

    The artifact of the files refers to them in place. Upload an offline run before you move or delete them.

    Args:
        run: A run that is not finished.
        folder: Folder that :func:`tt_actions.evaluation.clip_report.write_report` wrote.
        predictions: The predictions in the report.
        worst: Videos of the worst clips.
    """
    import wandb

    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    run.summary.update({f"report/{key}": metrics[key] for key in (*OVERALL, *ALL_ENDS, "loss", "num_clips")})
    run.summary.update({f"report/{key}": value for key, value in metrics.get("metrics", {}).items()})
    by_class = [[name, *(row[key] for key in CLASS_COLUMNS)] for name, row in metrics["per_class"].items()]
    logged = {
        "per_class": wandb.Table(columns=["class", *CLASS_COLUMNS], data=by_class),
        "worst_clips": _worst_table(predictions),
        "confusion": wandb.plot.confusion_matrix(
            y_true=predictions.labels.tolist(),
            preds=predictions.predicted.tolist(),
            class_names=list(predictions.class_names),
            title="Confusion matrix",
        ),
        **{f"{kind}_curve": _curve_chart(predictions, kind) for kind in AXES},
        **{path.stem: wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))},
        "page": wandb.Html(str(folder / "index.html"), inject=False),
        "worst_videos": [wandb.Video(str(clip.path), caption=clip.caption, format="mp4") for clip in worst],
    }
    run.log({f"report/{key}": value for key, value in logged.items() if value})
    _log_folder(run, folder)


def log_rally_report(run: "wandb.Run", folder: Path) -> None:
    """Log a report of untrimmed recordings to W&B: summary, page and images, and the files as an artifact.

    Args:
        run: A run that is not finished.
        folder: Folder that :func:`tt_actions.evaluation.rally_report.write_rally_report` wrote.
    """
    import wandb

    own = json.loads((folder / "metrics.json").read_text("utf-8")).get("metrics", {})
    run.summary.update({f"report/{key}": value for key, value in own.items()})
    with (folder / "segmentation.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            way = row.pop("way")
            run.summary.update({f"report/{way}/{key}": float(cell) for key, cell in row.items() if cell})
    page = {"report/page": wandb.Html(str(folder / "index.html"), inject=False)}
    images = {f"report/{path.stem}": wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))}
    run.log({**page, **images})
    _log_folder(run, folder)


def _log_folder(run: "wandb.Run", folder: Path) -> None:
    import wandb

    artifact = wandb.Artifact(f"report-{run.id}", type="report")
    artifact.add_dir(str(folder.resolve()), skip_cache=True, policy="immutable")
    run.log_artifact(artifact)


def _worst_table(predictions: Predictions, num_clips: int = 10) -> "wandb.Table":
    """Make a table of the clips with the lowest probability of their true class, the worst first."""
    import wandb

    table = wandb.Table(columns=["name", "label", "predicted", "p_true", "temporal_consistency"])
    rows = list(prediction_rows(predictions))
    for clip in predictions.worst[:num_clips]:
        name, label, predicted, *_, consistency = rows[clip]
        table.add_data(name, label, predicted, float(predictions.true_probability[clip]), consistency)
    return table


def _curve_chart(predictions: Predictions, kind: CurveKind) -> Any:
    """Make a chart with one curve per class, each of at most a hundred points.

    ``wandb.plot.pr_curve`` and ``roc_curve`` need scikit-learn, and confuse the classes if one has no clips.
    """
    import wandb

    x, y = AXES[kind]
    table = wandb.Table(columns=["class", x, y])
    for name, curve in zip(predictions.class_names, predictions.curves[kind], strict=True):
        if curve is not None:
            points = np.linspace(0, len(curve.x) - 1, min(len(curve.x), 100)).round().astype(int)
            for point in points:
                table.add_data(name, float(curve.x[point]), float(curve.y[point]))
    return wandb.plot_table(
        "wandb/area-under-curve/v0",
        table,
        {"x": x, "y": y, "class": "class"},
        {
            "title": {"pr": "Precision and recall", "roc": "ROC curve"}[kind],
            "x-axis-title": x.replace("_", " "),
            "y-axis-title": y.replace("_", " "),
        },
    )
