"""A run's model card and data card, in the format of Hugging Face's hub."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from tt_actions.clips.records import Split
from tt_actions.evaluation.class_table import made_by
from tt_actions.files import write_atomically
from tt_actions.training.run_facts import RunFacts

NOT_STATED = "not stated"

_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}


def write_cards(folder: Path, facts: RunFacts) -> None:
    """Write ``model_card.md`` and ``data_card.md``; on the hub, each is the README.md of a repository.

    Args:
        folder: Folder of the report.
        facts: What the run knows.
    """
    for name, text in (("model_card", model_card(facts)), ("data_card", data_card(facts))):
        with write_atomically(folder / f"{name}.md") as temporary:
            temporary.write_text(text, "utf-8")


def model_card(facts: RunFacts) -> str:
    """Return the model card: YAML for the hub with the results, and the text.

    Args:
        facts: What the run knows.
    """
    result = {
        "task": {"type": facts.task, "name": "Stroke recognition"},
        "dataset": {"type": facts.source, "name": facts.data_name, "split": "test"},
        "metrics": [{"type": key, "value": round(value, 4)} for key, value in facts.scores.items()],
    }
    head = {
        "license": "unknown",
        "library_name": "tt_actions",
        "pipeline_tag": facts.task,
        "tags": facts.tags,
        "metrics": list(facts.scores),
        "model-index": [{"name": facts.name, "results": [result]}],
    }
    sections = {
        f"# {facts.name}": _about_model(facts),
        "## Use": _use(facts),
        "## Training": _about_training(facts),
        "## Results": _about_results(facts),
        "## Limits": _about_limits(facts),
        "## Licence, authors and contact": f"Licence of the weights: {NOT_STATED}. Authors: {NOT_STATED}. "
        f"Contact: {NOT_STATED}.",
    }
    return _card(head, sections)


def _about_model(facts: RunFacts) -> str:
    kind = "joints of a player" if facts.is_of_joints else "frames of a video"
    made = f"{facts.network} with {facts.num_parameters:,} parameters"
    what = (
        f"{made}. It reads {kind} and returns the probability of each class at each frame. "
        f"Classes: {', '.join(facts.class_names)}."
    )
    return f"{what}\n\nPreprocessing:\n\n{_bullets(facts.preprocessing)}"


def _use(facts: RunFacts) -> str:
    call = 'model.predict("clip.mp4")' if not facts.is_untrimmed else 'tt_actions.analyze(model, "match.mp4")'
    return (
        f'```python\nimport tt_actions\n\nmodel = tt_actions.load("best.ckpt")\n{call}\n```\n\n'
        f"The checkpoint is `checkpoints/best.ckpt` of the run. Intended use: {NOT_STATED}."
    )


def _about_training(facts: RunFacts) -> str:
    if not facts.is_trained:
        return "This run tested a checkpoint and did not train. Training data and settings: not stated here."
    made = facts.provenance
    counts = ", ".join(f"{facts.num_records(split)} {split}" for split in get_args(Split))
    took = [
        f"{made['seconds']:.0f} s from the start to the report" if made.get("seconds") else NOT_STATED,
        f"on {made.get('device') or NOT_STATED}",
    ]
    return (
        f"Data: {facts.data_name} ({facts.things}: {counts}), see the data card. Time: {' '.join(took)}."
        f"\n\n{_bullets(facts.training)}"
    )


def _about_results(facts: RunFacts) -> str:
    scores = {key.replace("_", " "): f"{value:.3f}" for key, value in facts.scores.items()}
    return (
        f"Number of test {facts.things}: {facts.num_records('test')}. {_separation(facts)}\n\n"
        f"{_bullets(scores)}\n\n{facts.per_class.strip()}"
    )


def _separation(facts: RunFacts) -> str:
    """Say how far the test clips are apart from the training."""
    if len({record.path for record in facts.records}) == 1:
        return "All are from the video of the training, so they show the same players."
    groups = {record.group for record in facts.records if record.split == "test"}
    if None in groups:
        return "Groups (players, matches or scenes): not stated, so training and test may share players."
    apart = " None of them is in the training." if facts.is_trained else ""
    return f"Number of groups (players, matches or scenes): {len(groups)}.{apart}"


def _about_limits(facts: RunFacts) -> str:
    synthetic = "The clips are drawn. Results on them say nothing about real video. " * facts.is_synthetic
    return (
        f"{synthetic}The model knows only the classes above. "
        f"Results on other players, cameras and sports: {NOT_STATED}. Bias: {NOT_STATED}."
    )


def data_card(facts: RunFacts) -> str:
    """Return the card of the data of the run: YAML for the hub, and the text.

    Args:
        facts: What the run knows.
    """
    size = next((name for limit, name in _SIZES.items() if len(facts.records) < limit), "n>1M")
    head = {
        "license": "unknown",
        "pretty_name": facts.data_name,
        "task_categories": [facts.task],
        "size_categories": [size],
        "tags": facts.tags,
    }
    origin = (
        f"Drawn by tt_actions (source {facts.source}); no person was recorded."
        if facts.is_synthetic
        else f"Read by the source {facts.source}. Who recorded it, where and when: {NOT_STATED}. "
        f"Consent of the people in it: {NOT_STATED}."
    )
    known = sum(record.hand is not None for record in facts.records)
    sections = {
        f"# {facts.data_name}": f"{len(facts.records)} {facts.things} of the classes "
        f"{', '.join(facts.class_names)}, as the run {facts.name} used them.",
        "## Origin": origin,
        "## Splits": _splits_table(facts),
        "## Annotations": f"Labels: by the source. Who labelled, and how well labellers agree: {NOT_STATED}. "
        f"Playing hand: known for {known} of {len(facts.records)} {facts.things}.",
        "## Limits and bias": f"Age, sex, level and number of players: {NOT_STATED}.",
        "## Licence, authors and contact": f"Licence: {NOT_STATED}. Authors: {NOT_STATED}. "
        f"Contact: {NOT_STATED}.",
        "## Provenance": made_by(facts.provenance),
    }
    return _card(head, sections)


def _splits_table(facts: RunFacts) -> str:
    splits = [split for split in get_args(Split) if facts.num_records(split)]
    counts = Counter((record.split, label) for record in facts.records for label in record.labels)
    rows = [[name, *(str(counts[split, name]) for split in splits)] for name in facts.class_names]
    groups = [len({r.group for r in facts.records if r.split == split} - {None}) for split in splits]
    rows += [[f"all {facts.things}", *(str(facts.num_records(split)) for split in splits)]]
    rows += [["groups", *(str(number or NOT_STATED) for number in groups)]]
    lines = [["class", *splits], ["---", *["---:"] * len(splits)], *rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{table}\n\nNo group (player, match or scene) is in two splits."


def _bullets(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {key}: {NOT_STATED if value is None else value}" for key, value in values.items())


def _card(head: Mapping[str, Any], sections: Mapping[str, str]) -> str:
    front = yaml.safe_dump(dict(head), sort_keys=False, allow_unicode=True)
    body = "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items())
    return f"---\n{front}---\n\n{body}\n"
