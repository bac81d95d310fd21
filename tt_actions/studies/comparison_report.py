"""The report of a comparison: tables and figures in files, and the tables on the screen."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from tt_actions.evaluation.bars import Bars, bars_figure
from tt_actions.evaluation.clip_scores import BY_CLASS, OVERALL
from tt_actions.evaluation.interval_text import explain_interval
from tt_actions.evaluation.published import PUBLISHED, PUBLISHED_NOTE, published_results
from tt_actions.evaluation.style import write_figures
from tt_actions.evaluation.tables import Table
from tt_actions.files import write_atomically
from tt_actions.studies.class_comparison import class_comparison_table
from tt_actions.studies.comparison import REFERENCE
from tt_actions.studies.pairs import pairs_table, summary
from tt_actions.studies.score_cells import BOLD_NOTE, bold_in_groups, plain_numbers, spread
from tt_actions.studies.seed_curves import seed_curves_figure

QUICK_NOTE = "QUICK: a smoke test on a few clips and epochs. Ignore these numbers."
SYNTHETIC_NOTE = "Synthetic strokes: these results say nothing about real video."
SCORES = OVERALL[:4]
SHOWN = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "temporal_consistency": "temporal consistency",
    "frame_agreement": "frame agreement",
}

_RESULT = re.compile(r"(?:table_[1-6]|figure_[2-5]|comparison|shares)\.(?:md|csv|tex|png|svg|pdf|json)")
"""Files of all results that a comparison may write."""

Numbers = dict[str, Any]


def remove_results(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove the results of an earlier comparison, so that only results of the latest one are in the folder.

    Runs and other files stay.

    Args:
        folder: Folder of the comparison.
        keep: Names, without a suffix, of the results to keep.
    """
    for path in folder.iterdir():
        if _RESULT.fullmatch(path.name) and path.stem not in keep:
            path.unlink()


def write_comparison(folder: Path, numbers: Numbers, console: Console) -> None:
    """Write ``comparison.json``, the tables and figures, and print the tables.

    Results of an earlier comparison that this one does not have are removed.

    Args:
        folder: Folder to write to; it must exist.
        numbers: The result of :func:`tt_actions.studies.comparison.compare_runs`, with ``quick`` (whether
            this is only a smoke test), ``failed`` (the missing trainings) and, optionally, ``all_published``
            (whether to show published results of other models than ``cnn_lstm``).
        console: Console to print to.
    """
    published = {name: figures for name in numbers["models"] if (figures := _published(numbers, name))}
    content = {**numbers, "published": published, "notes": production_notes(numbers)}
    with write_atomically(folder / "comparison.json") as path:
        path.write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8")
    tables = {
        "table_1": scores_table(numbers),
        "table_2": actions_table(numbers),
        "table_3": costs_table(numbers),
        "table_4": class_comparison_table(numbers["models"], production_notes(numbers)),
    }
    if numbers["pairs"]:
        num_clips = numbers["made_by"]["num_test_clips"]
        tables["table_5"] = pairs_table(numbers["pairs"], num_clips, production_notes(numbers))
    for name, table in tables.items():
        table.write(folder / name)
        table.show(console)
    for note in (*[summary(numbers["pairs"])] * bool(numbers["pairs"]), *production_notes(numbers)):
        console.print(note, markup=False)
    runs = {name: [*map(Path, scores["runs"])] for name, scores in numbers["models"].items()}
    figures = {"figure_2": scores_figure(numbers), "figure_3": actions_figure(numbers)}
    curves = seed_curves_figure(runs, production_notes(numbers))
    figures |= {} if curves is None else {"figure_5": curves}
    for name, figure in figures.items():
        write_figures(folder / name, figure)
    remove_results(folder, keep=["comparison", *tables, *figures])


def _published(numbers: Numbers, model: str) -> dict[str, Any]:
    """Return the published results that stand next to those of a model."""
    if numbers.get("all_published"):
        return PUBLISHED.get(model, {})
    return dict(published_results(model, numbers["made_by"]["classes"]))


def production_notes(numbers: Numbers) -> list[str]:
    """Return notes on the provenance of the numbers and on their limits.

    Args:
        numbers: As for :func:`write_comparison`.
    """
    made = numbers["made_by"]
    options = ", ".join(
        f"{key} {value}" for key, value in made["source_options"].items() if value is not None
    )
    seeds = ", ".join(map(str, made["seeds"]))
    commits = " and ".join(_short(commit) for commit in made["commits"])
    notes = [
        f"Made from {made['source']} ({options}): {made['num_test_clips']} test clips, the same for every "
        f"model and seed (split_seed {made['split_seed']}); training seeds {seeds}; commit {commits}."
    ]
    if numbers["failed"]:
        missing = ", ".join(
            f"{failed['model']} seed {failed['seed']}{_of_share(failed)}" for failed in numbers["failed"]
        )
        notes.append(f"Missing because the training failed: {missing}.")
    return notes + [SYNTHETIC_NOTE] * (made["source"] == "SyntheticStrokes") + [QUICK_NOTE] * numbers["quick"]


def _of_share(failed: Mapping[str, Any]) -> str:
    return f" on {100 * failed['share']:g} % of the clips" if "share" in failed else ""


def _short(commit: str) -> str:
    name, dash, state = commit.partition("-")
    return name[:10] + dash + state


def scores_table(numbers: Numbers) -> Table:
    """Make Table 1: accuracy, precision, recall and F1 of each model, with the published results below.

    Args:
        numbers: As for :func:`write_comparison`.
    """
    rows, records = [], []
    own = tuple(dict.fromkeys(name for one in numbers["models"].values() for name in one.get("metrics", {})))
    columns = (*SCORES, *own)
    means: list[list[float | None] | None] = []
    for model, scores in numbers["models"].items():
        measured = {**scores, **scores.get("metrics", {})}
        rows.append([model, *(spread(measured[key]) if key in measured else "-" for key in columns)])
        means.append([measured[key]["mean"] if key in SCORES else None for key in columns])
        records.append({"model": model, "source": "measured", **plain_numbers(measured, columns)})
        if published := _published(numbers, model):
            cells = [f"{published[key]:.3f}" if key in SCORES else "-" for key in columns]
            rows.append([f"{model}, published", *cells])
            means.append(None)
            records.append({"model": model, "source": "published", **plain_numbers(published, columns)})
    notes = [
        "Measured: mean ± standard deviation over seeds. The resampled scores are averaged over seeds. "
        f"Precision, recall, F1: macro averages. {BOLD_NOTE}",
        *explain_interval(numbers["made_by"]),
        *_published_notes(numbers),
    ]
    headings = ["model", *(SHOWN[key] for key in SCORES), *(name.replace("_", " ") for name in own)]
    bold = bold_in_groups(means, ["all"] * len(rows))
    return Table("Table 1: models", headings, rows, records, notes, production_notes(numbers), bold)


def actions_table(numbers: Numbers) -> Table:
    """Make Table 2: class accuracy, temporal consistency and frame agreement per action.

    Args:
        numbers: As for :func:`write_comparison`.
    """
    rows, records = [], []
    means: list[list[float | None] | None] = []
    for model, scores in numbers["models"].items():
        published = _published(numbers, model).get("per_class", {})
        support = {"support": numbers["made_by"]["num_test_clips"]}
        for action, own in (*scores["per_class"].items(), ("all", {**scores, **support})):
            names = {"model": model, "action": action}
            rows.append([f"{model}, {action}", *(spread(own[key]) for key in BY_CLASS), f"{own['support']}"])
            means.append([own[key]["mean"] for key in BY_CLASS])
            bare = plain_numbers(own, BY_CLASS)
            records.append({**names, "source": "measured", **bare, "test_clips": own["support"]})
            if reported := published.get(action):
                shown = [f"{reported[key]:.3f}" if key in reported else "-" for key in BY_CLASS]
                rows.append([f"{model}, {action}, published", *shown, "-"])
                means.append(None)
                bare = plain_numbers(reported, BY_CLASS)
                records.append({**names, "source": "published", **bare, "test_clips": None})
    notes = [
        "Accuracy: share of the clips of an action that are classified correctly. Temporal consistency: mean "
        "share of adjacent frame pairs with the same predicted class. Frame agreement: mean share of frames "
        "with the class of the clip. For all actions, consistency and agreement are means over the actions. "
        f"Shown: mean ± standard deviation over seeds. {BOLD_NOTE}",
        *explain_interval(numbers["made_by"]),
        *_published_notes(numbers),
    ]
    headings = ["model, action", *(SHOWN[key] for key in BY_CLASS), "clips"]
    bold = bold_in_groups(means, [record["action"] for record in records])
    return Table("Table 2: actions", headings, rows, records, notes, production_notes(numbers), bold)


def costs_table(numbers: Numbers) -> Table:
    """Make Table 3: the computing costs of each model, and the test of its difference from the reference.

    Args:
        numbers: As for :func:`write_comparison`.
    """
    rows, records = [], []
    for model, scores in numbers["models"].items():
        costs, test = scores["costs"], scores.get("mcnemar", {})
        memory = costs["peak_memory_mb"]
        durations = {key: costs[key] for key in ("training_seconds", "processor_seconds")}
        rows.append(
            [
                model,
                f"{costs['parameters']:,}",
                f"{costs['multiply_adds'] / 1e6:,.1f}",
                *(spread(seconds, ".0f") for seconds in durations.values()),
                f"{costs['clips_per_second']:,.0f}",
                "-" if memory is None else f"{memory:,.0f}",
                f"{test['only_first']} : {test['only_second']}" if test else "-",
                f"{test['p_value']:.2g}" if test else "-",
            ]
        )
        counted = {key: test.get(key) for key in ("against", "only_first", "only_second", "p_value")}
        bare = dict(costs)
        for key, seconds in durations.items():
            bare |= {key: seconds["mean"], f"{key}_std": seconds["std"]}
        records.append({"model": model, **bare, **{f"mcnemar_{key}": counted[key] for key in counted}})
    against = next((test["against"] for s in numbers["models"].values() if (test := s.get("mcnemar"))), None)
    headings = ["model", "parameters", "MACs (M)", "training (s)", "processor (s)", "clips/s", "memory (MB)"]
    headings += ["only one correct", "McNemar p"]
    notes = _cost_notes(numbers, against)
    return Table("Table 3: costs", headings, rows, records, notes, production_notes(numbers))


def _cost_notes(numbers: Numbers, against: str | None) -> list[str]:
    notes = [
        "MACs: multiply-adds of convolutions and matrix products, in millions per clip. Training: from the "
        "start to the report. Processor: the same in processor time over all cores, which other programs "
        "hardly change. Clips/s: frames already in memory, batches of 8, median of 7; the models take "
        f"turns on {numbers['made_by']['timed_on']}. Memory: peak of the training process, with PyTorch.",
        f"Trained on {' and '.join(numbers['made_by']['devices'])}.",
    ]
    if against:
        notes.append(
            f"McNemar: exact two-sided test against {against} on the paired test clips, not corrected for "
            "the number of tests; table 5 has all pairs, corrected. The prediction of a model is the class "
            "with the highest mean probability over its seeds. Only one correct: clips that only this model "
            f"classifies correctly : clips that only {against} classifies correctly."
        )
    return notes


def _published_notes(numbers: Numbers) -> list[str]:
    return [PUBLISHED_NOTE] if any(_published(numbers, model) for model in numbers["models"]) else []


def _bars(label: str, scores: list[Mapping[str, Any]], published: list[float | None]) -> Bars:
    intervals = [tuple(score["interval"]) if score["interval"] else None for score in scores]
    return Bars(label, [score["mean"] for score in scores], intervals, published)


def scores_figure(numbers: Numbers) -> Figure:
    """Draw Table 1: the accuracy, precision, recall and F1 of each model.

    Args:
        numbers: As for :func:`write_comparison`.
    """
    bars = []
    for model, scores in numbers["models"].items():
        published = _published(numbers, model)
        bars.append(_bars(model, [scores[key] for key in SCORES], [published.get(key) for key in SCORES]))
    return bars_figure(
        [SHOWN[key] for key in SCORES], bars, "Models on the test clips", _small_print(numbers)
    )


def actions_figure(numbers: Numbers) -> Figure:
    """Draw one model of Table 2: its accuracy and temporal consistency per action.

    Args:
        numbers: As for :func:`write_comparison`.
    """
    models = numbers["models"]
    model = REFERENCE if REFERENCE in models else next(iter(models))
    per_class = models[model]["per_class"]
    published = _published(numbers, model).get("per_class", {})
    bars = [
        _bars(
            SHOWN[key],
            [scores[key] for scores in per_class.values()],
            [published.get(action, {}).get(key) for action in per_class],
        )
        for key in BY_CLASS[:2]
    ]
    return bars_figure(list(per_class), bars, f"{model} by action", _small_print(numbers))


def _small_print(numbers: Numbers) -> str:
    over = numbers["made_by"].get("interval_by", "clips")
    lines = f"Bars: mean over seeds. Lines: 95 % bootstrap interval over {over}."
    return " ".join([lines, *production_notes(numbers)])
