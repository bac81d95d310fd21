"""Statistics of a comparison: means over seeds, confidence intervals, significance tests and costs."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf

from tt_actions.evaluation.class_table import SCORES as CLASS_SCORES
from tt_actions.evaluation.class_table import class_scores
from tt_actions.evaluation.clip_scores import BY_CLASS, OVERALL
from tt_actions.evaluation.significance import (
    accuracy_interval,
    drawable_groups,
    mcnemar,
    varied_interval,
)
from tt_actions.files import finite_or_none
from tt_actions.recognition.loading import load
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.studies.finished_run import FinishedRun, check_same_clips
from tt_actions.studies.pairs import compare_pairs
from tt_actions.studies.resampled_scores import overall_scores, resampled_class_scores
from tt_actions.studies.speed import count_multiply_adds, measure_clips_per_second

REFERENCE = "cnn_lstm"
"""The model that all others are tested against; if it is missing, the first model is used."""


def compare_runs(runs: Mapping[str, Mapping[int, FinishedRun]]) -> dict[str, Any]:
    """Compute the contents of ``comparison.json`` from finished runs.

    Args:
        runs: Model -> seed -> run; at least one model, each with at least one run.

    Returns:
        ``made_by`` with the provenance, and ``models`` with the seeds, scores, scores ``per_class`` and
        ``costs`` of each model, and ``mcnemar`` for all but the reference model. Each score has ``mean``,
        ``std`` (None for one seed), ``interval`` (None if there is none) and ``by_seed``. ``pairs`` has the
        tests of all pairs of models: see :func:`tt_actions.studies.pairs.compare_pairs`.

    Raises:
        ValueError: If the runs were not tested on the same clips.
    """
    check_same_clips([run for by_seed in runs.values() for run in by_seed.values()])
    tasks = {
        name: load(next(iter(by_seed.values())).folder / "checkpoints" / "best.ckpt")
        for name, by_seed in runs.items()
    }
    clips_per_second = measure_clips_per_second(tasks)
    models = {
        name: {
            "seeds": list(by_seed),
            "runs": [str(run.folder) for run in by_seed.values()],
            **scores_over_seeds(list(by_seed.values())),
            "costs": {
                **_costs(list(by_seed.values()), tasks[name]),
                "clips_per_second": clips_per_second[name],
            },
        }
        for name, by_seed in runs.items()
    }
    reference = REFERENCE if REFERENCE in runs else next(iter(runs))
    right = {name: _right_together(list(by_seed.values())) for name, by_seed in runs.items()}
    for name in runs:
        if name != reference:
            test = mcnemar(right[name], right[reference])
            models[name]["mcnemar"] = {"against": reference, **test._asdict()}
    return {"made_by": _made_by(runs), "models": models, "pairs": compare_pairs(right)}


def _made_by(runs: Mapping[str, Mapping[int, FinishedRun]]) -> dict[str, Any]:
    every = [run for by_seed in runs.values() for run in by_seed.values()]
    data = OmegaConf.to_container(OmegaConf.load(every[0].folder / "config.yaml").data)
    assert isinstance(data, dict)
    made_by = [run.metrics["provenance"] for run in every]
    return {
        "source": data["source"]["class_path"].rpartition(".")[2],
        "source_options": data["source"].get("init_args") or {},
        "split_seed": data["split_seed"],
        "classes": list(every[0].metrics["per_class"]),
        "num_test_clips": len(every[0].names),
        "num_groups": None if None in every[0].groups else len(set(every[0].groups)),
        "interval_by": "groups" if drawable_groups(every[0].groups) else "clips",
        "seeds": sorted({seed for by_seed in runs.values() for seed in by_seed}),
        "commits": sorted({made["commit"] or "unknown" for made in made_by}),
        "devices": sorted({made["device"] for made in made_by}),
        "timed_on": torch.cuda.get_device_name() if torch.cuda.is_available() else "one CPU thread",
    }


def scores_over_seeds(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Return the scores of a model, overall and per class, with deviations over seeds and intervals.

    Args:
        runs: One run per seed, tested on the same clips.
    """
    classes = list(runs[0].metrics["per_class"])
    num_clips, groups = len(runs[0].names), drawable_groups(runs[0].groups)
    overall = varied_interval(partial(overall_scores, runs), num_clips, groups)  # (2, 5)
    by_class = varied_interval(partial(resampled_class_scores, runs), num_clips, groups)  # (2, K, 2)
    intervals = dict(zip(OVERALL[:5], overall.T.tolist(), strict=True))
    intervals |= _special_interval(runs, np.arange(num_clips), groups)

    def of_class(name: str, index: int) -> dict[str, Any]:
        intervals = dict(zip(BY_CLASS[:2], by_class[:, index].T.tolist(), strict=True))
        intervals |= _special_interval(runs, np.flatnonzero(runs[0].labels == index), groups)
        values = {key: [run.metrics["per_class"][name][key] for run in runs] for key in BY_CLASS}
        shown = {key: _over_seeds(values[key], intervals.get(key)) for key in BY_CLASS}
        by_seed = [class_scores(run.confusion) for run in runs]
        shown |= {
            key: _over_seeds([finite_or_none(float(getattr(scores, key)[index])) for scores in by_seed])
            for key in CLASS_SCORES
        }
        return {**shown, "support": runs[0].metrics["per_class"][name]["support"]}

    own = dict.fromkeys(name for run in runs for name in run.metrics.get("metrics", {}))
    values = {name: [run.metrics.get("metrics", {}).get(name) for run in runs] for name in own}
    return {
        **({"metrics": {name: _over_seeds(by_seed) for name, by_seed in values.items()}} if own else {}),
        **{key: _over_seeds([run.metrics[key] for run in runs], intervals.get(key)) for key in OVERALL},
        "per_class": {name: of_class(name, index) for index, name in enumerate(classes)},
    }


def _special_interval(
    runs: Sequence[FinishedRun], own: NDArray[np.int64], groups: Sequence[str] | None
) -> dict[str, list[float]]:
    """Return the interval of the accuracy on some clips where the bootstrap can't vary: exact, or nan."""
    theirs = None if groups is None else [groups[clip] for clip in own]
    is_right = np.stack([run.predicted[own] == run.labels[own] for run in runs])
    if len(own) and (is_right.all() or not is_right.any()):
        return {"accuracy": list(accuracy_interval(is_right[0], theirs))}
    return {"accuracy": [math.nan, math.nan]} if theirs is not None and len(set(theirs)) == 1 else {}


def _over_seeds(values: Sequence[float | None], interval: Sequence[float] | None = None) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    return {
        "mean": fmean(known) if known else None,
        "std": stdev(known) if len(known) > 1 else None,
        "interval": interval if interval is not None and np.isfinite(interval).all() else None,
        "by_seed": list(values),
    }


def _right_together(runs: Sequence[FinishedRun]) -> NDArray[np.bool_]:
    """For each clip, whether the class with the highest mean probability over seeds is correct."""
    together = np.mean([run.probabilities for run in runs], axis=0).argmax(1)
    return np.asarray(together == runs[0].labels)


def _costs(runs: Sequence[FinishedRun], task: Recognizer) -> dict[str, Any]:
    made_by = [run.metrics["provenance"] for run in runs]
    return {
        "parameters": sum(parameter.numel() for parameter in task.network.parameters()),
        "multiply_adds": count_multiply_adds(task),
        "training_seconds": _over_seeds([made["seconds"] for made in made_by]),
        "processor_seconds": _over_seeds([made.get("processor_seconds") for made in made_by]),
        "peak_memory_mb": max(made.get("peak_memory_mb") or 0 for made in made_by) or None,
    }
