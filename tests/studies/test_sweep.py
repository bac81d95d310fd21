import io
import json
import os
import re
import sys
from pathlib import Path

import optuna
import pytest
import yaml
from rich.console import Console
from run_files import rows, wait_for

from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.main import main
from tt_actions.studies.optuna_study import SweepStudy
from tt_actions.studies.sweep import sweep, wandb_definition
from tt_actions.studies.sweep_file import ARGS, check_options, find_sweep, read_sweep
from tt_actions.studies.trainings import read_settings

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))
COMMAND = ["tt-actions", "train", "--config", str(ROOT / "tests" / "tiny.yaml"), ARGS]


@pytest.fixture
def options(tiny):
    """Options of a training of about a second, but for its config and its name."""
    return tiny[4:]


@pytest.fixture
def write(tmp_path):
    """Write a sweep file."""

    def write_file(name="small", **content):
        usual = {"method": "grid", "metric": {"name": "val/accuracy", "goal": "maximize"}}
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            yaml.safe_dump({"program": "tt-actions", "command": COMMAND} | usual | content, sort_keys=False)
        )
        return path

    return write_file


def run_here(path, out, options, **more):
    text = io.StringIO()
    code = sweep(str(path), out, options=options, console=Console(file=text, width=200), **more)
    return code, text.getvalue()


def names_of(run, folder, split):
    return [row["name"] for row in rows(folder / "runs" / run / "splits.csv") if row["split"] == split]


def test_two_workers_do_every_point_once_and_record_what_fails(write, options, start, tmp_path):
    widths = {"model.network.init_args.hidden_size": {"values": [8, 0, 12]}}  # the network refuses 0
    path = write(parameters=widths | {"trainer.max_epochs": {"value": 2}})
    out = tmp_path / "sweeps"
    folder = out / "small"
    worker = start("sweep", path, "--out", out, *options)
    wait_for((folder / "runs" / "trial_000.log").is_file, worker)
    code, printed = run_here(path, out, options)
    assert ": training" in printed
    said = printed + worker.communicate()[0]
    assert (worker.returncode, code) == (1, 1), said
    for number in range(3):
        started = [line for line in said.splitlines() if line.startswith(f"{number + 1}/3  ")]
        assert sum(line.endswith(": training") for line in started) == 1, said
    runs = sorted(run.relative_to(folder / "runs") for run in (folder / "runs").glob("*/*"))
    assert runs == [Path("trial_000/version_0"), Path("trial_002/version_0")]
    table = rows(folder / "trials.csv")
    assert [(row["rank"], row["state"]) for row in table] == [("1", "done"), ("2", "done"), ("", "failed")]
    assert {row["hidden_size"] for row in table[:2]} == {"8", "12"}
    assert float(table[0]["val/accuracy"]) >= float(table[1]["val/accuracy"])
    assert table[2]["hidden_size"] == "0"
    assert table[2]["error"] == "Expected `hidden_size` to be at least 1, but got 0."
    shown = f"{table[0]['trial']}: hidden size {table[0]['hidden_size']}"
    best = next(line for line in printed.splitlines() if shown in line)
    assert f"{float(table[0]['val/accuracy']):.3f}" in best
    assert best.rstrip().endswith("done")
    for row in table[:2]:
        metrics = json.loads((Path(row["run"]) / "report" / "metrics.json").read_text())
        assert float(row["test/accuracy"]) == pytest.approx(metrics["accuracy"])
        history = [one for one in rows(Path(row["run"]) / "metrics.csv") if one["val/loss"]]
        best = min(history, key=lambda one: float(one["val/loss"]))
        assert float(row["val/accuracy"]) == pytest.approx(float(best["val/accuracy"]))
    assert f"{len(names_of(runs[0], folder, 'val'))} validation clips and " in printed
    assert re.search(r"\d\.\d{3} \[\d\.\d\d, \d\.\d\d\]", (folder / "trials.md").read_text("utf-8"))
    for name in ("trials.md", "trials.tex", "effects.png", "effects.svg", "effects.pdf"):
        assert (folder / name).stat().st_size
    assert "2 done, 1 failed" in (folder / "trials.md").read_text("utf-8")
    assert (out / "small.db").is_file()


def test_a_killed_sweep_repeats_no_finished_trial_and_loses_none(write, options, start, strokes, tmp_path):
    path = write(
        method="random",
        run_cap=2,
        parameters={"seed_everything": {"values": [0, 1]}, "trainer.max_epochs": {"value": 9}},
    )
    manifest, records = tmp_path / "clips.csv", read_manifest(strokes)
    write_manifest(manifest, records)
    options = [*options, "--data.source.path", str(manifest)]
    out, runs = tmp_path / "sweeps", tmp_path / "sweeps" / "small" / "runs"
    worker = start("sweep", path, "--out", out, *options)
    log = runs / "trial_001.log"
    wait_for(lambda: log.exists() and "epoch 3/9" in log.read_text(), worker)
    worker.kill()
    finished = {file: file.stat().st_mtime_ns for file in (runs / "trial_000").rglob("*")}
    assert any(file.name == "metrics.json" for file in finished)
    code, said = run_here(path, out, options, grace_s=3)
    assert code == 0
    assert "small: 2 trials, 1 already done." in said
    assert {file: file.stat().st_mtime_ns for file in (runs / "trial_000").rglob("*")} == finished
    assert [run.name for run in (runs / "trial_001").iterdir()] == ["version_0"]
    assert log.read_text().count("epoch 2/9") == 1  # resumed, not started again
    assert [row["state"] for row in rows(out / "small" / "trials.csv")] == ["done", "done"]
    again = run_here(path, out, options)
    assert again[0] == 0
    assert "small: 2 trials, 2 already done." in again[1]
    assert ": training" not in again[1]
    changed = "its file, options, experiment or clips have changed"
    with pytest.raises(ValueError, match=changed):
        run_here(path, out, [*options, "--trainer.max_epochs", "31"])
    write_manifest(manifest, records[:-1])
    with pytest.raises(ValueError, match=changed):
        run_here(path, out, options)


def test_a_sweep_whose_experiment_has_changed_is_refused(write, tmp_path):
    path = write(parameters={"seed_everything": {"values": [0, 1]}})
    url = f"sqlite:///{tmp_path}/s.db"
    settings = {"trainer": {"max_epochs": 5}, "model": {"frame_loss": 0.5}}
    for _ in range(2):
        SweepStudy(read_sweep(path), [], url, settings, list, tmp_path)
    with pytest.raises(ValueError, match="experiment or clips have changed"):
        SweepStudy(read_sweep(path), [], url, settings | {"model": {"frame_loss": 1.0}}, list, tmp_path)


def test_trials_far_behind_are_given_up_and_not_for_an_earlier_run_of_other_settings(
    write, options, tmp_path
):
    path = write(
        metric={"name": "val/loss", "goal": "minimize"},
        early_terminate={"type": "hyperband", "min_iter": 1, "eta": 4},
        parameters={
            "model.optimizer.init_args.lr": {"values": [0.001, 0.5]},
            "trainer.max_epochs": {"value": 4},
        },
    )
    out = tmp_path / "sweeps"
    earlier = out / "small" / "runs" / "trial_000" / "version_0"
    earlier.mkdir(parents=True)
    (earlier / "metrics.csv").write_text("epoch,step,val/loss\n49,50,9.0\n")
    code, said = run_here(path, out, options)
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{out}/small.db")
    reported = study.trials[0].intermediate_values
    assert reported
    assert set(reported) <= {1, 2, 3, 4}
    table = rows(out / "small" / "trials.csv")
    assert code == 0
    assert [(row["trial"], row["state"]) for row in table] == [("0", "done"), ("1", "given up")], said
    assert "lr 0.5: stopped early after epoch 1, " in said
    assert "given up: after " in (out / "small" / "trials.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"parameters": {"model.network.init_args.peephole": {"values": [True]}}},
            r"`model.network.init_args.peephole`",
        ),
        (
            {"parameters": {"trainer.max_epoch": {"values": [3]}}},
            r"of `trainer.max_epoch` in the sweep 'small'",
        ),
        ({"parameters": {"trainer.max_epochs": {"values": [3, "many"]}}}, "accept the value many of"),
        ({"parameters": {"trainer.max_epochs": {"vals": [3]}}}, "`vals`"),
        (
            {"parameters": {"model.frame_loss": {"min": 0.0, "max": 1.0}}},
            "Expected `values` for `model.frame_loss`",
        ),
        (
            {"parameters": {"model": {"parameters": {"frame_loss": {"value": 1}}}}},
            "Write `model.key` for each",
        ),
        ({"parameters": {"model.augmentation": {"values": [None, "Augmentation"]}}}, '"null" in quotes'),
        ({"method": "random"}, "Expected `run_cap`"),
        ({"method": "hill"}, "grid, random or bayes, but got 'hill'"),
        (
            {"metric": {"name": "test/accuracy", "goal": "maximize"}},
            "Expected `metric.name` to be one of val/loss",
        ),
        ({"metric": {"name": "val/accuracy"}}, "minimize or maximize"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 3, "s": 2}}, "`s`"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 300}}, "trainer.max_epochs"),
        (
            {"parameters": {"data.val_share": {"values": [0.15, 0.0]}, "monitor": {"value": "null"}}},
            "Expected validation clips",
        ),
        ({"runcap": 3}, "`runcap`"),
        ({"command": ["tt-actions", "train", ARGS]}, "Expected `command` to be"),
    ],
)
def test_what_is_not_understood_is_refused_before_any_trial(write, options, tmp_path, content, message):
    path = write(**{"parameters": {"seed_everything": {"values": [0, 1]}}} | content)
    with pytest.raises(ValueError, match=message):
        run_here(path, tmp_path / "sweeps", options)
    assert not (tmp_path / "sweeps" / "small" / "runs").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min": 0.1, "max": 1}, "both whole numbers or both with a decimal point"),
        ({"min": "1e-4", "max": 0.1}, "Write 1.0e-4"),
        ({"min": 1.0, "max": 0.1}, "`min` below its `max`"),
        ({"min": 0.0, "max": 0.1, "distribution": "log_uniform_values"}, "above 0"),
        ({"min": 0.1, "max": 0.2, "distribution": "normal"}, "but got 'normal'"),
        ({"min": 0.1, "max": 0.2, "distribution": "q_uniform"}, "`q` above 0"),
    ],
)
def test_ranges_that_make_no_sense_are_refused_by_name(write, given, message):
    path = write(method="bayes", run_cap=3, parameters={"model.optimizer.init_args.lr": given})
    with pytest.raises(ValueError, match=message) as refused:
        read_sweep(path)
    assert "`model.optimizer.init_args.lr`" in str(refused.value)


def test_a_sweep_that_does_not_exist_is_reported_with_those_that_do():
    with pytest.raises(
        FileNotFoundError, match=r"no 'experiments.sweeps.nothing\.yaml'.* Use one of .*ablation, tune"
    ):
        find_sweep("nothing")


def test_the_sweeps_are_there():
    assert {"ablation", "tune"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_sweep_is_understood_by_us_and_by_wandb(path, tmp_path, monkeypatch):
    from wandb.apis.public.sweeps import _validate_config_and_fill_distribution

    monkeypatch.chdir(ROOT)  # its command names the experiment from here
    file = read_sweep(path)
    settings = check_options(file, [])
    SweepStudy(file, [], f"sqlite:///{tmp_path}/s.db", settings, list, tmp_path)
    definition = wandb_definition(file, tmp_path, ["--trainer.max_epochs", "3"])
    filled = _validate_config_and_fill_distribution(definition)
    assert set(filled["parameters"]) == {parameter.name for parameter in file.parameters}
    assert filled["command"][-1] == ARGS
    assert path.read_text("utf-8").startswith("# ")
    assert "?" in path.read_text("utf-8").splitlines()[0]


def test_logged_in_the_file_is_handed_to_wandb_and_its_agent(write, options, tmp_path, monkeypatch):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    given = {}
    monkeypatch.setattr("wandb.sweep", lambda content, **where: given.update(content, where=where) or "id7")
    monkeypatch.setattr("wandb.agent", lambda sweep_id, **_: given.update(agent=sweep_id))
    monkeypatch.setenv("PATH", os.environ["PATH"])  # the agent's is put back
    path = write(parameters={"model.augmentation": {"values": ["null", {"class_path": "Augmentation"}]}})
    account = ["--wandb.mode", "online", "--wandb.entity", "us"]
    code, said = run_here(path, tmp_path / "sweeps", [*options, *account])
    assert code == 0
    assert given["agent"] == "id7"
    assert "wandb agent us/tt_actions/id7" in said
    assert given["where"] == {"entity": "us", "project": "tt_actions"}
    for value in given["parameters"]["model.augmentation"]["values"]:  # as W&B's agent writes them
        words = create_sweep_command_args({"args": {"model.augmentation": {"value": value}}})["args"]
        settings = read_settings([*given["command"][1:-1], *words])
        chosen = settings["model"]["augmentation"]
        assert chosen is None if value == "null" else chosen["class_path"].endswith(".Augmentation")
        assert settings["wandb"]["group"] == "small"


def test_ranges_are_drawn_as_wandb_names_them(write):
    path = write(
        method="bayes",
        run_cap=20,
        parameters={
            "a": {"min": 1, "max": 3},
            "b": {"min": 0.5, "max": 1.0},
            "c": {"min": 0.001, "max": 1.0, "distribution": "log_uniform_values"},
            "d": {"min": 8, "max": 32, "q": 8, "distribution": "q_uniform"},
            "e": {"values": [[1, 2], "x", True]},
        },
    )
    file = read_sweep(path)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [
        {p.name: p.suggest(trial) for p in file.parameters} for trial in (study.ask() for _ in range(60))
    ]
    assert {point["a"] for point in drawn} == {1, 2, 3}
    assert all(0.5 <= point["b"] <= 1 and 0.001 <= point["c"] <= 1 for point in drawn)
    assert 0.2 < sum(point["c"] < 0.0316 for point in drawn) / 60 < 0.8  # half of the logarithm's range
    assert {point["d"] for point in drawn} == {8, 16, 24, 32}
    assert [value for value in ([1, 2], "x", True) if value in [point["e"] for point in drawn]] == [
        [1, 2],
        "x",
        True,
    ]


def test_a_random_sweep_draws_the_same_different_points_everywhere(write, tmp_path):
    path = write(method="random", run_cap=9, parameters={"seed_everything": {"values": list(range(6))}})
    points = []
    for name in ("one", "two"):
        url, settings = f"sqlite:///{tmp_path}/{name}.db", {"trainer": {"max_epochs": 5}}
        study = SweepStudy(read_sweep(path), [], url, settings, list, tmp_path)
        points.append([trial.system_attrs["fixed_params"]["seed_everything"] for trial in study.trials])
    assert points[0] == points[1]
    assert sorted(points[0]) == sorted(map(str, range(6)))  # there are no more


def test_a_missing_optuna_is_reported(write, options, tmp_path, monkeypatch):
    path = write(parameters={"seed_everything": {"values": [0, 1]}})
    monkeypatch.setitem(sys.modules, "tt_actions.studies.optuna_study", None)
    with pytest.raises(ValueError, match=r"pip install 'tt-actions\[sweep\]'"):
        run_here(path, tmp_path / "sweeps", options)


def test_a_database_that_can_not_be_opened_is_reported(write, options, tmp_path):
    path = write(parameters={"seed_everything": {"values": [0, 1]}})
    options = [*options, "--data.source.path", "nowhere"]  # clips are looked at last
    with pytest.raises(ValueError, match="Expected a database at 'nosql://here'"):
        run_here(path, tmp_path / "sweeps", options, storage="nosql://here")


def test_the_command_line_hands_on_what_it_is_given(write, options, tmp_path):
    path = write(parameters={"seed_everyting": {"values": [0, 1]}})
    words = ["sweep", path, "--out", tmp_path, "--storage", f"sqlite:///{tmp_path}/s.db", *options]
    with pytest.raises(ValueError, match="`seed_everyting`"):
        main([str(word) for word in words])
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208
