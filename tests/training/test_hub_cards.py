"""Model card and data card: valid for the hub, true to the run, and silent about what it does not know."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from run_files import rows, train

from tt_actions.clips.records import ClipRecord
from tt_actions.sources import SyntheticStrokes, UserClips
from tt_actions.training.hub_cards import data_card, model_card
from tt_actions.training.run_facts import RunFacts, data_name

FACTS = RunFacts(
    name="own",
    network="STGCN",
    num_parameters=1234,
    class_names=("a|b", "c"),
    is_of_joints=True,
    is_untrimmed=False,
    preprocessing={"layout": "ntu25"},
    source="UserJoints",
    data_name="joints",
    is_synthetic=False,
    records=tuple(
        ClipRecord(
            Path(f"{n}.csv"), "a|b" if n % 2 else "c", group=f"p{n}", split="test" if n > 2 else "train"
        )
        for n in range(5)
    ),
    is_trained=True,
    training={"seed": 3, "learning rate": None},
    scores={"accuracy": 0.123456},
    per_class="| class |\n",
    provenance={"seconds": 12.0},
)


def read_card(text):
    """The YAML in front of a card, and its text."""
    start, front, body = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), body


@pytest.fixture(scope="module")
def cards(trained):
    return {
        name: read_card((trained / "report" / f"{name}.md").read_text("utf-8"))
        for name in ("model_card", "data_card")
    }


def test_the_model_card_has_the_results_of_the_run_as_the_hub_reads_them(cards, trained):
    head, _ = cards["model_card"]
    metrics = json.loads((trained / "report" / "metrics.json").read_text())
    (entry,) = head["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "tiny"
    assert result["task"]["type"] == head["pipeline_tag"] == "video-classification"
    assert {"type", "name"} <= set(result["dataset"])
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        key: pytest.approx(metrics[key], abs=1e-4) for key in ("accuracy", "precision", "recall", "f1")
    }
    assert head["metrics"] == ["accuracy", "precision", "recall", "f1"]
    assert head["license"] == "unknown"


def test_the_model_card_tells_what_the_run_knows(cards, trained):
    _, body = cards["model_card"]
    splits = Counter(row["split"] for row in rows(trained / "splits.csv"))
    assert f"{splits['train']} train, {splits['val']} val, {splits['test']} test" in body
    assert "CNNLSTM with 4,956 parameters" in body
    assert "- epochs: 6" in body
    assert "- optimizer: torch.optim.Adam" in body
    assert (trained / "report" / "per_class.md").read_text("utf-8").strip() in body
    for unknown in ("Intended use", "Licence of the weights", "Authors", "Bias"):
        assert f"{unknown}: not stated" in body


def test_the_data_card_counts_the_clips_of_each_split(cards, trained):
    head, body = cards["data_card"]
    counts = Counter((row["label"], row["split"]) for row in rows(trained / "splits.csv"))
    for label in ("serve", "smash"):
        cells = " | ".join(str(counts[label, split]) for split in ("train", "val", "test"))
        assert f"| {label} | {cells} |" in body
    assert head["size_categories"] == ["n<1K"]
    assert "Consent of the people in it: not stated" in body
    assert "| groups | 4 | 1 | 1 |" in body


def test_cards_hide_the_folders_of_the_user(cards, strokes):
    for head, body in cards.values():
        assert str(strokes.parent) not in body + str(head)
    assert data_name(UserClips(Path("/home/anna/match/clips.csv"))) == "match/clips.csv"
    assert data_name(UserClips(Path("/home/anna/match"))) == "match"
    assert data_name(SyntheticStrokes(Path("data/synth"))) == "SyntheticStrokes"


def test_a_run_that_only_tests_says_nothing_about_the_training(trained, tiny, tmp_path):
    best = str(trained / "checkpoints" / "best.ckpt")
    run = train(tiny, tmp_path, "--ckpt_path", best, command="test")
    body = (run / "report" / "model_card.md").read_text("utf-8")
    assert "did not train. Training data and settings: not stated here" in body
    assert "epochs" not in body
    assert "is in the training" not in body


def test_the_hub_has_no_task_for_joints_and_unknown_options_are_not_stated():
    head, body = read_card(model_card(FACTS))
    assert head["pipeline_tag"] == "other"
    assert head["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.1235}]
    assert "- learning rate: not stated" in body
    assert "on not stated" in body
    assert "Number of groups (players, matches or scenes): 2. None of them is in the training." in body


def test_clips_without_groups_or_of_one_video_are_not_said_to_be_apart():
    alone = tuple(replace(record, group=None) for record in FACTS.records)
    assert "may share players" in model_card(replace(FACTS, records=alone))
    one = tuple(replace(record, path=Path("match.mp4")) for record in FACTS.records)
    assert "from the video of the training" in model_card(replace(FACTS, records=one))


def test_drawn_clips_are_said_to_be_drawn():
    drawn = replace(FACTS, is_synthetic=True, source="SyntheticSkeletons")
    head, body = read_card(data_card(drawn))
    assert "synthetic" in head["tags"]
    assert "no person was recorded" in body
    assert "say nothing about real video" in model_card(drawn)
    assert "synthetic" not in read_card(data_card(FACTS))[0]["tags"]
    assert r"| a\|b | 1 | 1 |" in data_card(FACTS)
