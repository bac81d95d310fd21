"""Metrics that an experiment adds by class path: in metrics.csv, the report, W&B and a comparison."""

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score
from wandb_file import read_run

from tt_actions.class_paths import trust
from tt_actions.errors import UserError
from tt_actions.evaluation.stage_metrics import StageMetrics
from tt_actions.main import main
from tt_actions.studies.comparison import compare_runs
from tt_actions.studies.comparison_report import scores_table
from tt_actions.studies.finished_run import read_finished_run
from tt_actions.training.own_metrics import check_metrics, check_validation_metric, make_metrics

TINY = Path(__file__).parents[1] / "tiny.yaml"
TOP_TWO = '''
import torch
from torchmetrics import Metric
from tt_actions.models.averages import mean_log_probability

class TopTwo(Metric):
    """The share of clips whose class is among the two most likely ones."""

    def __init__(self):
        super().__init__()
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits, lengths, target):
        best = mean_log_probability(logits, lengths).topk(2).indices
        self.right += (best == target[:, None]).any(1).sum()
        self.total += len(target)

    def compute(self):
        return self.right / self.total

class Thing:
    pass

def touch():
    raise AssertionError
'''
METRICS = """
metrics:
- torchmetrics.classification.MulticlassCohenKappa
- class_path: torchmetrics.classification.MulticlassAccuracy
  init_args:
    top_k: 3
  name: top_3
- own_parts.TopTwo
- class_path: torchmetrics.classification.MulticlassSpecificity
  init_args:
    average: none
"""


@pytest.fixture(scope="module")
def own_parts(tmp_path_factory):
    """A package of the user's own."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "own_parts.py").write_text(TOP_TWO)
    sys.path.insert(0, str(folder))
    trust(["own_parts"])
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def run_dir(own_parts, strokes, tmp_path_factory):  # noqa: ARG001 - the package must be there
    folder = tmp_path_factory.mktemp("run")
    experiment = folder / "graded.yaml"
    lines = TINY.read_text("utf-8").splitlines()
    unnamed = "\n".join(line for line in lines if not line.startswith("experiment:"))
    experiment.write_text(unnamed + METRICS, "utf-8")
    options = {"runs": folder / "runs", "data.cache_dir": folder / "cache", "wandb.mode": "offline"}
    options |= {"trainer.max_epochs": 1, "trainer.accelerator": "cpu", "monitor": "val/top_two"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WANDB_DATA_DIR", str(folder / "staged"))
        main(["train", "--config", str(experiment), "--data", str(strokes), *words])
    return folder / "runs" / "graded" / "version_0"  # the name of the file


def test_values_are_logged_and_in_the_report(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("cohen_kappa", "top_3", "top_two", "specificity", "specificity/serve"):
        assert any(row[f"val/{name}"] for row in rows)
        assert any(row[f"test/{name}"] for row in rows)
    report = json.loads((run_dir / "report" / "metrics.json").read_text())
    assert set(report["metrics"]) == {"cohen_kappa", "top_3", "top_two", "specificity"}
    run = read_finished_run(run_dir)
    best = np.argsort(-run.probabilities, axis=1)
    kappa = cohen_kappa_score(run.labels, best[:, 0], labels=range(4))
    assert report["metrics"]["cohen_kappa"] == pytest.approx(np.nan_to_num(kappa), abs=1e-6)
    top_two = (best[:, :2] == run.labels[:, None]).any(1).mean()
    assert report["metrics"]["top_two"] == pytest.approx(top_two, abs=1e-6)


def test_wandb_carries_them_by_epoch_and_in_the_summary(run_dir):
    written = read_run(run_dir)
    report = json.loads((run_dir / "report" / "metrics.json").read_text())
    for name, value in report["metrics"].items():
        assert written.summary[f"report/{name}"] == value
        assert len(written.logged(f"val/{name}")) == len(written.logged(f"test/{name}")) == 1
    assert written.summary["val/top_two"] == {"max": pytest.approx(written.logged("val/top_two")[0])}


def test_the_page_shows_them(run_dir, visits):
    report = json.loads((run_dir / "report" / "metrics.json").read_text())
    page = visits.open((run_dir / "report" / "index.html").as_uri())
    tiles = page.locator(".tiles").inner_text().lower()
    visits.close()
    for name, value in report["metrics"].items():
        assert f"{name.replace('_', ' ')}\n{value:.3f}" in re.sub("\n+", "\n", tiles)


@pytest.mark.parametrize(("command", "stage"), [("validate", "val"), ("test", "test")])
def test_they_are_printed(run_dir, tmp_path, capsys, command, stage):
    again = ["--config", str(run_dir / "config.yaml"), "--runs", str(tmp_path), "--wandb.mode=disabled"]
    main([command, *again, "--ckpt_path", str(run_dir / "checkpoints" / "best.ckpt")])
    printed = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    with (tmp_path / "graded" / "version_0" / "metrics.csv").open(newline="") as file:
        [measured] = csv.DictReader(file)
    for name in ("cohen_kappa", "top_3", "top_two", "specificity"):
        assert printed[name] == f"{float(measured[f'{stage}/{name}']):.3f}"


@pytest.mark.parametrize(("command", "stage"), [("validate", "val"), ("test", "test")])
def test_those_of_frames_of_recordings_are_printed_and_in_the_report(
    rally_run, tmp_path, capsys, command, stage
):
    again = ["--config", str(rally_run / "config.yaml"), "--runs", str(tmp_path)]
    checkpoint = ["--ckpt_path", str(rally_run / "checkpoints" / "best.ckpt")]
    main([command, *again, *checkpoint, "--metrics", '["MulticlassCohenKappa"]'])
    run = tmp_path / "rally_cnn_lstm" / "version_0"
    with (run / "metrics.csv").open(newline="") as file:
        [measured] = csv.DictReader(file)
    kappa = float(measured[f"{stage}/cohen_kappa"])
    printed = capsys.readouterr().out
    assert re.search(rf"cohen_kappa +{kappa:.3f}\n", re.sub(" +\n", "\n", printed))
    assert ("Validation on" in printed) == (command == "validate")
    if command == "test":
        report = json.loads((run / "report" / "metrics.json").read_text())
        assert report["metrics"] == {"cohen_kappa": pytest.approx(kappa)}


def test_a_comparison_shows_them(run_dir):
    run = read_finished_run(run_dir)
    numbers = {**compare_runs({"cnn_lstm": {0: run}}), "failed": [], "quick": False}
    table = scores_table(numbers)
    assert table.headings[-4:] == ["cohen kappa", "top 3", "top two", "specificity"]
    kappa = run.metrics["metrics"]["cohen_kappa"]
    assert table.rows[0][5] == f"{kappa:.3f}"
    assert table.records[0]["cohen_kappa"] == kappa
    assert all(len(record) == len(table.records[0]) for record in table.records)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (["os.system"], "a class of torchmetrics, but got 'os.system', which was not imported"),
        (["torchmetrics.utilities.data.torch"], "which was not imported"),
        (["own_parts.touch"], "subclasses of torchmetrics.Metric, but got 'own_parts.touch'"),
        (["own_parts.Thing"], "subclasses of torchmetrics.Metric"),
        (["own_parts.Nothing"], "to name a class, but got 'own_parts.Nothing'"),
        ([{"class_path": "MulticlassAccuracy", "init_args": {"topk": 2}, "name": "x"}], "but got `topk`"),
        ([{"class": "MulticlassAccuracy"}], "to be a class path, or to have class_path, init_args, name"),
        (["MulticlassAccuracy"], "a new name for each of `metrics`, but got 'accuracy' again"),
        (["own_parts.TopTwo", "own_parts.TopTwo"], "but got 'top_two' again"),
        (["torchmetrics.MeanMetric"], "to take only preds, target, logits and lengths, but it takes value"),
    ],
)
@pytest.mark.usefixtures("own_parts")
def test_what_is_no_metric_is_refused(entries, reason):
    with pytest.raises(UserError, match=reason):
        check_metrics(entries)


def test_what_a_class_refuses_is_an_error_of_the_user():
    entry = {"class_path": "MulticlassAccuracy", "init_args": {"top_k": 5}, "name": "top_5"}
    assert check_metrics([entry]) == ["top_5"]
    with pytest.raises(
        UserError, match=r"arguments for `metrics: MulticlassAccuracy`, but got an error: .*top_k"
    ):
        make_metrics([entry], 4)


@pytest.mark.usefixtures("own_parts")
def test_recordings_have_no_clips_to_count():
    recordings = StageMetrics(["serve", "idle"], 10.0, False)
    with pytest.raises(UserError, match="`top_two` takes logits or lengths"):
        recordings.add(make_metrics(["own_parts.TopTwo"], 2))
    recordings.add(make_metrics(["MulticlassCohenKappa"], 2))
    recordings._update_own(torch.eye(2)[[0, 1, 1]], torch.tensor([0, 1, -100]))
    assert recordings.own.compute()["cohen_kappa"] == 1


def test_an_own_metric_may_select_the_checkpoint():
    check_validation_metric("val/top_two", "monitor", ["top_two"])
    with pytest.raises(UserError, match="but got 'val/top_two'"):
        check_validation_metric("val/top_two", "monitor")
