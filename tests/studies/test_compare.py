import io
import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
import yaml
from rich.console import Console
from run_files import rows, wait_for
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.evaluation.published import PUBLISHED
from tt_actions.evaluation.score_intervals import macro_scores
from tt_actions.evaluation.significance import bootstrap_interval
from tt_actions.files import lock_folder
from tt_actions.main import main
from tt_actions.models import HistogramKernel
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.sources.user_source import user_source
from tt_actions.studies.compare import QUICK_SOURCES, compare
from tt_actions.studies.comparison import compare_runs
from tt_actions.studies.comparison_report import write_comparison
from tt_actions.studies.finished_run import check_same_clips, read_finished_run
from tt_actions.studies.speed import count_multiply_adds, measure_clips_per_second
from tt_actions.studies.trainings import Training, find_earlier, read_settings, train

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SCORES = ["accuracy", "precision", "recall", "f1"]
FILES = {"comparison.json"} | {f"figure_{n}.{s}" for n in (2, 3, 5) for s in ("png", "svg", "pdf")}
FILES |= {f"table_{n}.{s}" for n in (1, 2, 3, 4, 5) for s in ("md", "csv", "tex")}


class Compared(NamedTuple):
    code: int
    text: str
    out: Path
    models: list[str]
    data: Path

    @property
    def numbers(self):
        return json.loads((self.out / "comparison.json").read_text("utf-8"))

    def run(self, model):
        return self.out / "runs" / model / "seed_0" / "version_0"


@pytest.fixture(scope="module")
def options(cache_dir):
    """Options of a training of about a second."""
    values = {
        "data.cache_dir": cache_dir,
        "data.preprocessing.size": [16, 16],
        "data.preprocessing.num_frames": 4,
        "data.test_share": 0.5,
        "model.network.channels": [4, 4, 4],
        "model.network.grid": [2, 2],
        "model.network.feature_size": 8,
        "trainer.max_epochs": 2,
        "trainer.accelerator": "cpu",
    }
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]


def compare_tiny(models, out, strokes, options, quick=False):
    text = io.StringIO()
    code = compare(models, 1, out, strokes, quick, options, Console(file=text, width=100))
    return Compared(code, text.getvalue(), out, models, strokes)


@pytest.fixture(scope="module")
def compared(strokes, options, tmp_path_factory):
    """Two trainings that end well and, between them, one whose YAML is misspelt."""
    folder = tmp_path_factory.mktemp("compare")
    broken = folder / "broken.yaml"
    broken.write_text((EXPERIMENTS / "cnn.yaml").read_text().replace("feature_size:", "feature_sise:"))
    models = [str(EXPERIMENTS / "cnn.yaml"), str(broken), str(EXPERIMENTS / "cnn_lstm.yaml")]
    manifest = folder / "clips.csv"
    write_manifest(manifest, read_manifest(strokes))
    return compare_tiny(models, folder / "out", manifest, options)


def earlier_training(strokes, options, runs, *more):
    """The training of cnn in `compared`, with more options."""
    source = ["--data.source", "UserClips", "--data.source.path", str(strokes)]
    words = ("--config", str(EXPERIMENTS / "cnn.yaml"), *source, *options, *more)
    return Training("cnn/seed_0", runs, (*words, "--seed_everything", "0", "--wandb.group", "cnn"))


def test_a_training_that_fails_is_reported_and_the_rest_is_there(compared):
    assert compared.code == 1
    log = compared.out / "runs" / "broken" / "seed_0.log"
    assert "feature_sise" in log.read_text()
    assert "2/3  broken, seed 0: failed: " in compared.text
    assert str(log) in compared.text
    assert {path.name for path in compared.out.iterdir() if path.is_file()} - {".lock"} == FILES
    assert list(compared.numbers["models"]) == ["cnn", "cnn_lstm"]
    assert [(f["model"], f["seed"]) for f in compared.numbers["failed"]] == [("broken", 0)]
    for file in ("table_1.md", "table_2.tex", "table_3.csv"):
        assert "broken seed 0" in (compared.out / file).read_text("utf-8")


def test_what_is_done_is_not_trained_again(compared, options):
    def state():
        return {p: p.stat().st_mtime_ns for m in ("cnn", "cnn_lstm") for p in compared.run(m).rglob("*")}

    before = state()
    again = compare_tiny([compared.models[0], compared.models[2]], compared.out, compared.data, options)
    assert again.code == 0
    assert again.text.count("already done") == 2
    assert state() == before
    assert again.numbers["failed"] == []
    assert not (compared.out / "runs" / "cnn" / "seed_0" / "version_1").exists()


def test_measured_scores_are_those_of_the_reports(compared):
    for model, scores in compared.numbers["models"].items():
        metrics = json.loads((compared.run(model) / "report" / "metrics.json").read_text("utf-8"))
        for key in SCORES:
            low, high = scores[key]["interval"]
            assert scores[key]["mean"] == metrics[key]
            assert low <= metrics[key] <= high
            assert scores[key]["std"] is None  # one seed
        for action, own in metrics["per_class"].items():
            assert scores["per_class"][action]["accuracy"]["mean"] == own["accuracy"]
        assert scores["costs"]["peak_memory_mb"] == metrics["provenance"]["peak_memory_mb"]
        assert scores["costs"]["clips_per_second"] > 0
    # 16 x 16, 8 x 8 and 4 x 4 places, 3 x 3 weights to 4 channels from 3, 4 and 4; 4 frames of 16 places
    cnn = 4 * (256 * 27 * 4 + 64 * 36 * 4 + 16 * 36 * 4 + 16 * 8)
    assert cnn < compared.numbers["models"]["cnn"]["costs"]["multiply_adds"] < 1.2 * cnn


def test_published_figures_stand_apart_from_measured_ones(compared):
    table = rows(compared.out / "table_1.csv")
    assert [(row["model"], row["source"]) for row in table] == [
        ("cnn", "measured"), ("cnn_lstm", "measured"), ("cnn_lstm", "published"),
    ]  # fmt: skip
    for row in table:
        figures = {key: float(row[key]) for key in SCORES}
        published = {key: PUBLISHED["cnn_lstm"][key] for key in SCORES}
        assert (figures == published) == (row["source"] == "published")
        assert bool(row["accuracy_low"]) == (row["source"] == "measured")
    numbers = compared.numbers
    assert "0.923" not in json.dumps(numbers["models"])
    assert set(numbers["published"]) == {"cnn_lstm"}
    for suffix in ("md", "tex"):
        for line in (compared.out / f"table_1.{suffix}").read_text("utf-8").splitlines():
            assert ("0.923" in line) == ("published" in line and "lstm" in line and "0." in line)
    by_action = rows(compared.out / "table_2.csv")
    assert {row["model"] for row in by_action if row["source"] == "published"} == {"cnn_lstm"}


def test_the_published_figures_of_other_models_are_shown_on_request(compared, tmp_path):
    numbers = compared.numbers | {"all_published": True}
    write_comparison(tmp_path, numbers, Console(file=io.StringIO()))
    published = [row for row in rows(tmp_path / "table_1.csv") if row["source"] == "published"]
    assert [(row["model"], row["accuracy"]) for row in published] == [("cnn", "0.875"), ("cnn_lstm", "0.923")]


def test_every_table_says_what_produced_it(compared):
    commit = compared.numbers["made_by"]["commits"][0]
    for number in (1, 2, 3, 4, 5):
        for suffix in ("md", "csv", "tex"):
            text = (compared.out / f"table_{number}.{suffix}").read_text("utf-8")
            assert "UserClips" in text
            assert "seeds 0" in text
            assert commit[:10] in text
            assert "mean nothing" not in text


def test_quick_and_drawn_figures_say_that_they_mean_nothing(compared, tmp_path):
    numbers = compared.numbers | {"quick": True}
    numbers["made_by"] |= {"source": "SyntheticStrokes"}
    text = io.StringIO()
    write_comparison(tmp_path, numbers, Console(file=text, width=100))
    for path in tmp_path.glob("*.*"):
        if path.suffix not in (".png", ".svg", ".pdf"):
            assert "Ignore these numbers" in path.read_text("utf-8"), path
            assert "these results say nothing about real video" in path.read_text("utf-8"), path
    assert "Ignore these numbers" in text.getvalue()
    numbers["made_by"] |= {"source_options": {"path": "/clips/$x{$ 50%"}}  # no formula
    write_comparison(tmp_path, numbers, Console(file=text))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    write_comparison(tmp_path, numbers, Console(file=text))
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_a_stopped_comparison_goes_on_where_it_was(start, strokes, options, tmp_path):
    words = ["--models", EXPERIMENTS / "cnn.yaml", "--seeds", 1, "--data", strokes, "--out", tmp_path]
    words += [*options, "--trainer.max_epochs", 40]
    process = start("compare", *words)
    log = tmp_path / "runs" / "cnn" / "seed_0.log"
    wait_for(lambda: log.exists() and "epoch  3/40" in log.read_text(), process)
    with pytest.raises(ValueError, match="another comparison is running"):
        main(["compare", *map(str, words)])
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert "Run the same command again to resume." in output
    run = tmp_path / "runs" / "cnn" / "seed_0" / "version_0"
    assert not (run / "report").exists()
    with pytest.raises(SystemExit) as end:
        main(["compare", *map(str, words)])
    assert end.value.code == 0
    assert log.read_text().count("epoch  2/40") == 1
    assert "epoch 40/40" in log.read_text()
    assert list(run.parent.iterdir()) == [run]


def test_results_that_a_later_comparison_does_not_have_are_removed(compared, options, tmp_path):
    """A pair of models has ``table_5``, one model has none; a comparison without results has nothing."""
    out = tmp_path / "out"
    shutil.copytree(compared.out, out)
    for name in ("table_6.md", "figure_4.pdf", "shares.json", "figure_5.eps", "my_table_5.md", "table_7.md"):
        (out / name).touch()
    one = compare_tiny(compared.models[:1], out, compared.data, options)
    own = {"figure_5.eps", "my_table_5.md", "table_7.md"}
    without_pairs = {name for name in FILES if not name.startswith("table_5")}
    assert one.code == 0
    assert {path.name for path in out.iterdir() if path.is_file()} - {".lock"} == without_pairs | own
    failing = [*options, "--trainer.limit_test_batches", "0"]
    assert compare_tiny(compared.models[:1], out, compared.data, failing).code == 1
    assert {path.name for path in out.iterdir() if path.is_file()} - {".lock"} == own
    assert one.run("cnn").is_dir()


@pytest.mark.parametrize(
    "changed", [["--trainer.max_epochs", "3"], ["--data.split_seed", "1"], ["--no", "1"]]
)
def test_a_run_of_other_settings_is_not_taken_for_done(compared, options, changed):
    def earlier(*more):
        return find_earlier(earlier_training(compared.data, options, compared.out / "runs", *more))

    assert earlier().done == compared.run("cnn")
    assert earlier(*changed) == (None, None)


def test_a_run_of_other_clips_is_not_taken_for_done(compared, options, tmp_path):
    """A copy of the comparison, in whose manifest a clip is missing for a while."""
    models, records = [str(EXPERIMENTS / "cnn.yaml")], read_manifest(compared.data)
    out = tmp_path / "out"
    shutil.copytree(compared.out, out)
    try:
        write_manifest(compared.data, records[:-1])
        again = compare_tiny(models, out, compared.data, options)
        assert "already done" not in again.text
        run = again.run("cnn").with_name("version_1")
        assert (again.code, again.numbers["models"]["cnn"]["runs"]) == (0, [str(run)])
        write_manifest(compared.data, records)
        assert "already done" in compare_tiny(models, out, compared.data, options).text
        compared.data.unlink()
        log = out / "runs" / "cnn" / "seed_0.log"
        before = log.read_text()
        with pytest.raises(FileNotFoundError, match="Expected a manifest"):
            compare_tiny(models, out, compared.data, options)
        assert log.read_text() == before
    finally:
        write_manifest(compared.data, records)


@pytest.mark.parametrize("missing", ["report/predictions.csv", "checkpoints/best.ckpt"])
def test_a_run_that_lacks_a_part_is_not_taken_for_done(compared, options, tmp_path, missing):
    training = earlier_training(compared.data, options, tmp_path)
    run = training.folder / "version_0"
    shutil.copytree(compared.run("cnn"), run)
    assert find_earlier(training).done == run
    (run / missing).unlink()
    assert find_earlier(training) == (None, run)
    (run / "config.yaml").write_text("data: [1, 2")  # as a full disk leaves it
    assert find_earlier(training) == (None, None)


def test_a_training_that_is_killed_says_so(strokes, options, tmp_path):
    training = earlier_training(strokes, options, tmp_path, "--trainer.max_epochs", "500")

    def kill(_):
        for child in psutil.Process().children():
            if "tt_actions.main" in child.cmdline():  # there are others, such as multiprocessing's
                child.kill()

    with pytest.raises(
        subprocess.SubprocessError, match=r"ended by SIGKILL, which the system sends when memory"
    ):
        train(training, None, kill)


def test_a_training_that_leaves_no_whole_run_has_failed(strokes, options, tmp_path):
    training = earlier_training(strokes, options, tmp_path, "--trainer.limit_test_batches", "0")
    with pytest.raises(
        subprocess.SubprocessError, match=r"Expected the training to write '.*version_0/report/metrics\.json'"
    ):
        train(training, None, str)


def test_options_that_no_experiment_takes_are_refused_before_any_training(strokes, tmp_path):
    with pytest.raises(ValueError, match=r"got `--seed`\. Did you mean `--seed_everything`"):
        compare(["cnn", "cnn_lstm"], 2, tmp_path / "out", strokes, options=["--seed", "2"])
    assert not (tmp_path / "out").exists()


def test_clips_that_are_missing_are_reported_before_any_training(tmp_path):
    words = ["--models", str(EXPERIMENTS / "cnn.yaml"), "--data", "nowhere", "--out", str(tmp_path / "out")]
    with pytest.raises(FileNotFoundError, match="no folder 'nowhere'"):
        main(["compare", *words])
    assert not (tmp_path / "out").exists()


def test_a_word_that_is_no_option_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected options, but got 'cnn'\. List experiments after `--models`"
    ):
        main(["compare", "cnn"])


def test_an_experiment_on_recordings_is_refused_before_any_training(tmp_path, monkeypatch):
    monkeypatch.chdir(EXPERIMENTS.parent)
    with pytest.raises(
        ValueError, match="on clips of one stroke, but got 'rally_cnn_lstm', whose recordings"
    ):
        compare(["cnn_lstm", "rally_cnn_lstm"], 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_finished_run_tells_its_confusion_and_its_worst_clips(compared):
    run = read_finished_run(compared.run("cnn"))
    counted = rows(compared.run("cnn") / "report" / "confusion_matrix.csv")
    assert run.confusion.tolist() == [[int(n) for n in list(row.values())[1:]] for row in counted]
    of_truth = [run.probabilities[i, run.labels[i]] for i in run.worst]
    assert of_truth == sorted(of_truth)
    assert sorted(run.worst) == list(range(len(run.names)))


def test_a_run_that_was_not_tested_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected the directory of a tested run, but there"):
        read_finished_run(tmp_path)


def test_runs_on_other_clips_are_refused(compared):
    run = read_finished_run(compared.run("cnn"))
    check_same_clips([run, read_finished_run(compared.run("cnn_lstm"))])
    renamed = run._replace(names=[*run.names[:-1], "zz.mp4"])
    with pytest.raises(ValueError, match=r"same clips, but '.*' and '.*' differ in 2"):
        check_same_clips([run, renamed])
    name, label, _, is_test = next(clip for clip in sorted(run.clips) if not clip[3])
    other = run._replace(clips=run.clips | {(name, label, "of another content", is_test)})
    with pytest.raises(ValueError, match=r"added, removed or changed .*: 1, such as .*run the same command"):
        check_same_clips([run, other])
    with pytest.raises(ValueError, match="the same clips"):
        check_same_clips([run, run._replace(labels=run.labels[::-1])])


def test_scores_over_seeds_are_means_of_all_seeds(compared):
    run = read_finished_run(compared.run("cnn"))
    answers = np.random.default_rng(0).dirichlet(np.ones(4), (2, len(run.names)))
    metrics = [{**run.metrics, **dict.fromkeys(SCORES, value)} for value in (0.25, 0.75)]
    seeds = {
        seed: run._replace(
            probabilities=answers[seed], predicted=answers[seed].argmax(1), metrics=metrics[seed]
        )
        for seed in (0, 1)
    }
    models = compare_runs({"first": {0: run}, "second": seeds})["models"]
    second = models["second"]
    assert second["accuracy"]["mean"] == 0.5
    assert second["accuracy"]["std"] == pytest.approx(np.sqrt(0.125))
    right = np.mean([one.predicted == one.labels for one in seeds.values()], axis=0)
    expected = bootstrap_interval(
        lambda counts: counts @ right / counts.sum(1), len(right), groups=run.groups
    )
    assert len(set(run.groups)) > 1
    assert second["accuracy"]["interval"] == pytest.approx(expected)
    together, alone = answers.mean(0).argmax(1) == run.labels, run.probabilities.argmax(1) == run.labels
    assert "mcnemar" not in models["first"]
    assert second["mcnemar"]["against"] == "first"
    assert second["mcnemar"]["only_first"] == sum(together & ~alone)
    assert second["mcnemar"]["only_second"] == sum(alone & ~together)
    (pair,) = compare_runs({"first": {0: run}, "second": seeds})["pairs"]
    assert (pair["only_first"], pair["only_second"]) == (sum(alone & ~together), sum(together & ~alone))


def test_precision_recall_and_f1_of_a_class_are_those_of_the_run(compared):
    for row in rows(compared.out / "table_4.csv"):
        report = rows(compared.run(row["model"]) / "report" / "per_class.csv")
        (own,) = (one for one in report if one["class"] == row["class"])
        for key in ("precision", "recall", "f1", "support"):
            assert (row[key] == own[key] == "") or float(row[key]) == pytest.approx(float(own[key]), abs=1e-5)


def test_the_best_of_the_measured_models_is_in_bold(compared):
    text = (compared.out / "table_1.md").read_text("utf-8")
    means = {model: scores["f1"]["mean"] for model, scores in compared.numbers["models"].items()}
    best = max(means, key=means.get)
    bold = [line.split(" |")[0].removeprefix("| ") for line in text.splitlines() if line.endswith("** |")]
    assert bold == ([best] if len(set(means.values())) > 1 else [])


def test_a_model_that_is_always_right_has_an_interval_of_some_width(compared):
    run = read_finished_run(compared.run("cnn"))
    num_groups = len(set(run.groups))
    perfect = run._replace(predicted=run.labels, probabilities=np.eye(4)[run.labels])
    [model] = compare_runs({"first": {0: perfect}})["models"].values()
    low, high = model["accuracy"]["interval"]
    assert (low, high) == (pytest.approx(0.025 ** (1 / num_groups)), 1)
    for index, scores in enumerate(model["per_class"].values()):
        own = {group for group, label in zip(run.groups, run.labels, strict=True) if label == index}
        assert scores["accuracy"]["interval"] == [pytest.approx(0.025 ** (1 / len(own))), 1]


def test_macro_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for num_present in (2, 3, 4):
        labels, predicted = rng.integers(0, num_present, (2, 12))
        confusion = np.zeros((4, 4))
        np.add.at(confusion, (labels, predicted), 1)
        macro = [
            score(labels, predicted, average="macro", zero_division=0)
            for score in (precision_score, recall_score, f1_score)
        ]
        assert macro_scores(confusion) == pytest.approx([accuracy_score(labels, predicted), *macro])


def test_what_can_not_be_compared_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no 'experiments.nothing\.yaml'.* Use one of .*cnn_lstm"):
        compare(["nothing"], 1, tmp_path)
    with pytest.raises(ValueError, match="at least one seed and models with different names"):
        compare(["cnn"], 0, tmp_path)
    with pytest.raises(ValueError, match="List each experiment once"):
        compare(["cnn", "cnn"], 1, tmp_path)
    refused = pytest.raises(ValueError, match=r"another comparison is running in .*Wait until it ends")
    with lock_folder(tmp_path, "It is held."), refused:
        compare(["cnn"], 1, tmp_path)


def test_the_costs_of_a_model_of_flow_are_measured():
    preprocessing = Preprocessing(10, (16, 16), num_frames=3, flow=True)
    task = Recognizer(HistogramKernel(3), ["a", "b", "c"], preprocessing).eval()
    assert count_multiply_adds(task) >= 0
    assert measure_clips_per_second({"clips": task})["clips"] > 0


def test_every_experiment_has_few_clips_for_a_quick_comparison():
    assert {user_source(config) for config in EXPERIMENTS.glob("*.yaml")} <= {*QUICK_SOURCES, "UserRallies"}
    drawn, few = QUICK_SOURCES["UserDepth"]
    words = [f"--data.source.{key}={value}" for key, value in few.items()]
    config = str(EXPERIMENTS / "depth_cnn_lstm.yaml")
    source = read_settings(["train", "--config", config, "--data.source", drawn, *words])["data"]["source"]
    assert source["init_args"] | {"clips": 40, "depth": True} == source["init_args"]


def test_experiments_on_synthetic_skeletons_are_tested_on_the_same_clips():
    data = [yaml.safe_load(path.read_text())["data"] for path in EXPERIMENTS.glob("*.yaml")]
    own = [one for one in data if one["source"].get("class_path") == "SyntheticSkeletons"]
    assert len(own) >= 7
    assert len({(str(one["source"]), one["val_share"], one["test_share"]) for one in own}) == 1
