"""Accuracy over the number of training clips, from real trainings."""

import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console
from run_files import rows

from tt_actions.main import main
from tt_actions.studies.compare import compare
from tt_actions.studies.finished_run import read_finished_run
from tt_actions.studies.share_report import shares_figure, shares_table
from tt_actions.studies.shares import read_shares, share_trainings
from tt_actions.studies.trainings import Training, read_settings

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


class Shared(NamedTuple):
    out: Path
    text: str
    again: str

    def training_clips(self, model, seed, share):
        run = (
            self.out
            / "runs"
            / model
            / (f"share_{share}/" if share < 1 else "")
            / f"seed_{seed}"
            / "version_0"
        )
        return {row["name"] for row in rows(run / "splits.csv") if row["split"] == "train"}


@pytest.fixture(scope="module")
def shared(strokes, cache_dir, tmp_path_factory):
    """A small model of images, trained on half of the clips and on all, and the same once more."""
    out = tmp_path_factory.mktemp("shares")
    values = {
        "data.cache_dir": cache_dir,
        "data.preprocessing.size": [16, 16],
        "data.preprocessing.num_frames": 4,
        "data.test_share": 0.3,
        "model.network.channels": [4, 4, 4],
        "model.network.grid": [2, 2],
        "model.network.feature_size": 8,
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
    }
    options = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    models = [str(EXPERIMENTS / "cnn.yaml")]
    texts = []
    for _ in range(2):
        console = Console(file=io.StringIO(), width=100)
        assert compare(models, 1, out, strokes, False, options, console, shares=(0.5,)) == 0
        texts.append(console.file.getvalue())
    return Shared(out, *texts)


def test_a_share_is_a_part_of_the_training_clips_in_whole_groups(shared):
    half, whole = (shared.training_clips("cnn", 0, share) for share in (0.5, 1))
    assert half < whole
    assert (len(half), len(whole)) == (4, 12)  # one player of three: four clips each


def test_the_table_has_the_scores_of_the_runs(shared):
    table = rows(shared.out / "table_6.csv")
    assert [(row["share"], row["model"]) for row in table] == [
        ("0.5", "cnn"),
        ("1.0", "cnn"),
    ]
    for row in table:
        share = float(row["share"])
        parts = f"share_{share}/" if share < 1 else ""
        run = read_finished_run(shared.out / "runs" / row["model"] / f"{parts}seed_0" / "version_0")
        assert float(row["accuracy"]) == run.metrics["accuracy"]
        assert float(row["num_clips"]) == len(shared.training_clips(row["model"], 0, share))
    whole = json.loads((shared.out / "comparison.json").read_text())["models"]["cnn"]
    (_, point) = json.loads((shared.out / "shares.json").read_text())["models"]["cnn"]
    assert point["accuracy"] == whole["accuracy"]
    assert "fewer training steps" in (shared.out / "table_6.md").read_text("utf-8")


def test_what_is_done_is_not_trained_again(shared):
    assert "2/2  cnn on 50 %, seed 0: training" in shared.text
    assert shared.again.count("already done") == 2
    assert ": training" not in shared.again


def test_the_figure_comes_in_every_format(shared):
    assert {path.suffix for path in shared.out.glob("figure_4.*")} == {".png", ".svg", ".pdf"}


def test_all_models_get_the_same_share_with_a_seed():
    whole = {
        (model, seed): Training(f"{model}/seed_{seed}", Path("runs"), ()) for model in "ab" for seed in (0, 1)
    }
    trainings = share_trainings(whole, [0.1, 0.3])
    assert len({training.name for training in trainings.values()}) == len(trainings) == 8
    for (_, seed, share), training in trainings.items():
        assert training.options[:4] == ("--data.train_share", str(share), "--data.share_seed", str(seed))


def points(std):
    score = {"mean": 0.5, "std": std, "interval": [0.25, 0.75], "by_seed": [0.5]}
    shares = ((0.1, 10), (1.0, 100))
    return [{"share": s, "num_clips": n, "seeds": [0], "accuracy": score, "f1": score} for s, n in shares]


@pytest.mark.parametrize(
    ("std", "low", "name"), [(0.1, 0.4, "deviation"), (None, 0.25, "bootstrap interval")]
)
def test_bands_are_deviations_over_seeds_or_intervals_of_one_seed(std, low, name):
    figure = shares_figure({"a_$b": points(std), "c": points(std)}, ["Made here."])
    (axes,) = figure.axes
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(low)
    assert sorted(set(band[:, 0])) == [10, 100]
    assert name in figure.get_supxlabel().replace("\n", " ")
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert axes.lines[0].get_marker() != axes.lines[1].get_marker()


def test_the_best_of_each_share_is_in_bold():
    better = points(0.1)
    better[0] = better[0] | {"accuracy": better[0]["accuracy"] | {"mean": 0.9}}
    table = shares_table({"a": points(0.1), "b": better}, [])
    assert table.bold == {(1, 2)}


def test_shares_are_read_from_the_command_line():
    assert read_shares(["0.3", "0.1", "1", "0.3"]) == (0.1, 0.3)
    for wrong in ("0", "1.1", "a"):
        with pytest.raises(ValueError, match=f"`--shares` above 0 and at most 1, but got 0.5,{wrong}"):
            main(["compare", "--shares", f"0.5,{wrong}"])


def test_runs_from_before_the_option_still_count_as_finished():
    words = ["train", "--config", str(EXPERIMENTS / "cnn.yaml"), "--data.source", "UserClips"]
    words += ["--data.source.path", "clips.csv", "--figures", "pdf"]
    assert not {"train_share", "share_seed"} & set(read_settings(words)["data"])
    assert "figures" not in read_settings(words)
    part = read_settings([*words, "--data.train_share", "0.5", "--data.share_seed", "3"])["data"]
    assert (part["train_share"], part["share_seed"]) == (0.5, 3)
