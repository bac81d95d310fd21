"""What a run knows about itself, for its cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.records import ClipRecord, Split
from tt_actions.clips.source import ClipSource
from tt_actions.training.task import StrokeTask


@dataclass(frozen=True)
class RunFacts:
    """What a run knows about itself; nothing else stands in its cards.

    Args:
        name: Name of the experiment.
        network: Name of the network's class.
        num_parameters: Number of parameters of the network.
        class_names: Names of the classes.
        is_of_joints: Whether the network reads joints instead of frames.
        is_untrimmed: Whether the clips are recordings of many strokes.
        preprocessing: How a clip becomes the input of the network.
        source: Name of the source's class.
        data_name: Name of the data.
        is_synthetic: Whether the source draws the clips itself.
        records: The clips with their splits.
        is_trained: Whether the run has trained the model, or only tested it.
        training: Options of the training by name.
        scores: Scores on the test clips, by the name that the hub knows.
        per_class: Table of the scores of each class, as Markdown.
        provenance: How the result was produced.
    """

    name: str
    network: str
    num_parameters: int
    class_names: Sequence[str]
    is_of_joints: bool
    is_untrimmed: bool
    preprocessing: Mapping[str, Any]
    source: str
    data_name: str
    is_synthetic: bool
    records: Sequence[ClipRecord]
    is_trained: bool
    training: Mapping[str, Any]
    scores: Mapping[str, float]
    per_class: str
    provenance: Mapping[str, Any]

    @property
    def task(self) -> str:
        """Task in the words of the hub, which has none for joints."""
        return "other" if self.is_of_joints else "video-classification"

    @property
    def things(self) -> str:
        """What the records are called."""
        return "recordings" if self.is_untrimmed else "clips"

    @property
    def tags(self) -> list[str]:
        """Tags of both cards."""
        return ["tt_actions", "action-recognition", *(["synthetic"] if self.is_synthetic else [])]

    def num_records(self, split: Split) -> int:
        """Return the number of clips of a split.

        Args:
            split: The split.
        """
        return sum(record.split == split for record in self.records)


def gather_facts(
    run_dir: Path,
    data: ClipDataModule,
    task: StrokeTask,
    scores: Mapping[str, float | None],
    provenance: Mapping[str, Any],
    is_trained: bool,
) -> RunFacts:
    """Gather the facts of a run that has written its report.

    Args:
        run_dir: The run's directory.
        data: Its clips.
        task: Its model.
        scores: Scores on the test clips by name; None for an undefined one.
        provenance: How the result was produced.
        is_trained: Whether the run has trained the model.
    """
    file = run_dir / "config.yaml"
    config = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
    source = type(data.source)
    return RunFacts(
        name=config.get("experiment", run_dir.parent.name),
        network=type(task.network).__name__,
        num_parameters=sum(parameter.numel() for parameter in task.network.parameters()),
        class_names=task.class_names,
        is_of_joints=data.layout is not None,
        is_untrimmed=data.is_untrimmed,
        preprocessing={
            key: _short(value) for key, value in data.plain_preprocessing.items() if value is not None
        },
        source=source.__name__,
        data_name=data_name(data.source),
        is_synthetic=source.__module__.startswith("tt_actions.sources.synthetic"),
        records=data.records,
        is_trained=is_trained,
        training=_training(config, task),
        scores={key: value for key, value in scores.items() if value is not None},
        per_class=(run_dir / "report" / "per_class.md").read_text("utf-8"),
        provenance=provenance,
    )


def data_name(source: ClipSource) -> str:
    """Return a name of the data without the folders above them, which a published card should not show.

    Args:
        source: The source of the clips.
    """
    path = getattr(source, "path", None)
    if path is None:
        return type(source).__name__
    return "/".join(Path(path).absolute().parts[-2 if Path(path).suffix else -1 :])


def _training(config: Mapping[str, Any], task: StrokeTask) -> dict[str, Any]:
    seed = {"seed": config.get("seed_everything")}
    if not task.network.learns_by_gradient:
        return {"method": "fitted once to the training clips, without gradients", **seed}
    optimizer = (config.get("model") or {}).get("optimizer") or {}
    return {
        "epochs": (config.get("trainer") or {}).get("max_epochs"),
        "clips in a step": (config.get("data") or {}).get("batch_size"),
        "optimizer": optimizer.get("class_path"),
        "learning rate": (optimizer.get("init_args") or {}).get("lr"),
        "best checkpoint by": config.get("monitor") or "none: the last one",
        **seed,
    }


def _short(value: Any) -> Any:
    """Shorten a path to its name.

    >>> _short("onnx:/home/anna/pose.onnx"), _short(15)
    ('pose.onnx', 15)
    """
    return Path(value).name if isinstance(value, str) and "/" in value else value
