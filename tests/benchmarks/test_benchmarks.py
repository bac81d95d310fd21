"""Every benchmark and measurement runs, in its quick form, on what is drawn here."""

import json
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

import bench
import bench_inference
import measure_real
import measure_skeletons
import numpy as np
import pytest
from drawn_joints import draw_stroke, write_joints
from drawn_motions import draw
from joint_files import thetis_text, write
from run_files import rows

from tt_actions.evaluation.explain import PIXEL_METHODS
from tt_actions.files import write_json
from tt_actions.main import main
from tt_actions.pose.video import POINTS, WORLD, find_poses
from tt_actions.skeleton.landmarks import TO_CAMERA
from tt_actions.skeleton.layouts import NTU25, THETIS15, convert
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.studies.trainings import read_settings
from tt_actions.training.run_directory import RUN_DIR_VARIABLE
from tt_actions.video.info import probe

FOLDER = Path(__file__).parents[2] / "benchmarks"
PARTS = {"bench_inference", "bench_timing", "plain_stgcn"}
"""What the benchmarks import, and no commands themselves."""

STROKES = {"forehand_flat": "forehand", "smash": "smash"}
"""Classes of THETIS, and which stroke is drawn for each."""


@pytest.fixture
def measure(monkeypatch, capsys):
    """Run a command of benchmarks/ in its quick form, in this process; return what it prints."""

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words), "--quick"])
        import_module(name).main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def train_here(monkeypatch):
    """Train in this process; that a measurement starts others is seen where real clips are measured."""

    def train(training, _stopped, _on_line):
        main(training.words)
        return training.folder / "version_0"

    monkeypatch.setattr(measure_skeletons, "train", train)


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    """A folder of skeletons as THETIS has them: two strokes of eight players."""
    folder = tmp_path_factory.mktemp("thetis")
    for kind, stroke in STROKES.items():
        for player in range(8):
            joints = convert(draw(stroke, player).players[0].joints, NTU25, THETIS15)
            write(folder / kind / f"p{player + 1}.txt", thetis_text(joints))
    return folder


def test_every_command_is_run_here():
    commands = {path.stem for path in FOLDER.glob("*.py")} - PARTS
    here = Path(__file__).read_text("utf-8")
    run = set(re.findall(r'"(\w+)(?:\.py)?"', here))
    assert commands - run == set()


def test_the_benchmark_measures_each_model_of_clips_and_writes_as_it_goes(measure, monkeypatch, tmp_path):
    out, written = tmp_path / "bench.json", []

    def write(path, content):
        write_json(path, content)
        written.append(json.loads(out.read_text("utf-8")))

    monkeypatch.setattr(bench, "write_json", write)
    monkeypatch.setenv(RUN_DIR_VARIABLE, "")
    monkeypatch.delenv(RUN_DIR_VARIABLE)  # the benchmark sets it, and it is as before after the test
    measure("bench", "--out", out)
    begun, found = written[0], written[-1]
    assert begun["train_ratio"] > 0
    assert not any(name.startswith("inference_ratio") for name in begun)
    assert {"cnn_lstm", "c3d", "clips_network"} <= set(bench_inference.MODELS)
    for name in [*found["targets"], *(f"predict_clips_per_s_{model}" for model in bench_inference.MODELS)]:
        assert found[name] > 0
        assert found["spread"][name][0] <= found[name] <= found["spread"][name][1]
    assert found["settings"]["experiment"] == "cnn_lstm"
    assert found["provenance"]["device"]


def test_skeletons_are_measured(measure):
    printed = measure("bench_skeleton")
    assert "stgcn_ratio_batch_16: " in printed
    assert len(printed.splitlines()) == 8


def test_a_match_is_measured(measure, rally_run, tmp_path):
    measure("bench_realtime", "--checkpoint", rally_run / "checkpoints" / "best.ckpt", "--out", tmp_path)
    found = json.loads((tmp_path / "realtime.json").read_text("utf-8"))["rows"]
    assert [row["seconds"] for row in found] == [3, 6]
    assert all(row["ratio"] > 0 and row["peak_memory_mb"] > 0 for row in found)
    assert found[0]["num_dropped"] >= 0
    assert (tmp_path / "figure_4.png").is_file()


def test_real_clips_are_measured_alone_and_joined(measure, strokes, tmp_path):
    data, runs, joined = strokes.parent / "clips", tmp_path / "runs", tmp_path / "joined"
    printed = measure("measure_real", "tennis", "--data", data, "--out", runs)
    assert "accuracy on 24 real clips" in printed
    methods = [row["method"] for row in rows(runs / "tennis" / "table.csv")]
    assert methods == ["logistic regression on flow", "SVM on flow", "clips"]
    measure("measure_joined", "--model", "clips", "--runs", runs, "--out", joined)
    assert [row["clips"] for row in rows(joined / "joined.csv")] == ["2", "2", "4"]


def test_strokes_without_a_model_are_measured(measure, posed_clips, tmp_path):
    lines = ["path,label,group"]
    for number in range(8):
        label = ("serve", "smash")[number % 2]
        write_joints(tmp_path / f"{number}.npy", draw_stroke(number, label))
        lines.append(f"{number}.npy,{label},player {number // 4}")
    (tmp_path / "joints.csv").write_text("\n".join(lines) + "\n")
    measure("measure_swings", "--data", posed_clips, "--joints", tmp_path / "joints.csv", "--out", tmp_path)
    video, joints = rows(tmp_path / "swings.csv")
    assert (video["clips"], joints["clips"], joints["groups"]) == ("2", "8", "2")
    assert 0 <= float(video["recall"]) <= 1
    assert 0.5 <= float(joints["purity"]) <= 1


def test_labels_per_class_are_measured(measure, posed_clips, posed_cache, tmp_path):
    (tmp_path / "joints").symlink_to(posed_cache)
    measure("measure_labels", "clips", "--data", posed_clips, "--out", tmp_path)
    (row,) = rows(tmp_path / "labels.csv")
    assert row["labels"] == "1"
    assert 0 <= float(row["low"]) <= float(row["accuracy"]) <= float(row["high"]) <= 1


@pytest.mark.usefixtures("train_here")
def test_a_model_is_chosen_without_the_clips_that_it_is_tested_on(
    measure, posed_clips, posed_cache, tmp_path
):
    (tmp_path / "cache").symlink_to(posed_cache)
    printed = measure("measure_choice", "--data", posed_clips, "--out", tmp_path)
    assert "block 1: " in printed
    models = [row["model"] for row in rows(tmp_path / "choice.csv")]
    assert models == ["strokes", "logistic regression", "mean of all", "chosen"]
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows(tmp_path / "choice.csv"))


def test_marking_is_simulated(measure, posed_clips, tmp_path):
    words = ["--data", posed_clips, "--out", tmp_path]
    first = measure("measure_marking", *words)
    assert "accuracy on unmarked strokes of 12" in first
    found = rows(tmp_path / "marking.csv")
    assert [row["marks"] for row in found] == ["4", "8"]
    for row in found:
        for order in ("time", "uncertainty"):
            assert 0 <= float(row[f"{order}_held_out"]) <= 1
            assert 0 <= float(row[f"{order}_unmarked"]) <= 1
    assert found[0]["time_unmarked"] == found[0]["uncertainty_unmarked"]  # both begin with the same strokes
    assert measure("measure_marking", *words) == first  # the joints of the first time are used again


def test_the_labelling_page_is_timed(measure):
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    found = json.loads(measure("bench_label_page"))
    assert found["strokes"] == 8
    assert 0 < found["key_ms"] <= found["key_p95_ms"]


def test_the_coach_is_measured_on_clips(measure, posed_clips, posed_cache, tmp_path):
    folder = tmp_path / "clips" / "smash"
    folder.mkdir(parents=True)
    drawn = sorted((posed_clips / "smash").glob("*.mp4"))
    for number in range(7):
        (folder / f"{number}.mp4").write_bytes(drawn[number % len(drawn)].read_bytes())
    printed = measure("measure_coach", tmp_path / "clips", "--cache", posed_cache)
    assert printed.startswith("smash by the other clips: 7 strokes")


def test_every_variant_on_real_clips_has_options_that_are_there(tmp_path):
    planned = measure_real.trainings(measure_real.VARIANTS, 1, 1, tmp_path, None)
    for training in planned.values():
        assert read_settings(training.words)["data"]["source"]["init_args"]["path"].endswith("fold_0.csv")


@pytest.mark.usefixtures("train_here")
def test_real_joints_are_measured(measure, experts, tmp_path):
    printed = measure("measure_skeletons", "thetis", "--data", experts, "--out", tmp_path)
    assert "accuracy on 16 real recordings" in printed
    found = rows(tmp_path / "thetis" / "table.csv")
    assert [row["model"] for row in found][-2:] == [
        "skeleton_lstm, pre-trained",
        "skeleton_lstm, without fine-tuning",
    ]
    assert all(0 <= float(row["accuracy"]) <= 1 for row in found)


MEDIAPIPE = """
from pathlib import Path
from types import SimpleNamespace as Plain

import numpy as np

POSES = np.load(Path(__file__).with_name("poses.npy"))


class Pose:
    def __init__(self, **options):
        self.number = -1  # the first image only loads the networks

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def process(self, image):
        row, self.number = POSES[max(0, self.number)], self.number + 1
        if np.isnan(row[0, 0]):
            return Plain(pose_landmarks=None)
        flat = [Plain(x=x / image.shape[1], y=y / image.shape[0]) for x, y in row[:, :2]]
        world = [Plain(x=x, y=y, z=z) for x, y, z in row[:, 3:]]
        return Plain(pose_landmarks=Plain(landmark=flat), pose_world_landmarks=Plain(landmark=world))


solutions = Plain(pose=Plain(Pose=Pose))
"""
"""In place of MediaPipe: it finds, one image after the other, the landmarks that lie beside it."""


def test_joints_of_video_are_compared_with_those_of_mediapipe(measure, tmp_path):
    synthesize(tmp_path / "drawn", 1, 2, size=(640, 480), num_workers=1)
    video = next((tmp_path / "drawn").rglob("*.mp4"))
    poses = find_poses(video, probe(video).fps, roi=(0, 0, 630, 470)).values
    poses[..., POINTS] += (3, 4)
    poses[..., WORLD] = (poses[..., WORLD] + (0.01, 0, 0)) * TO_CAMERA
    poses[5] = np.nan
    library, python = tmp_path / "mediapipe", tmp_path / "python"
    library.mkdir()
    (library / "__init__.py").write_text(MEDIAPIPE)
    np.save(library / "poses.npy", poses)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    words = (tmp_path / "drawn", "--mediapipe", python, "--roi", "0,0,630,470", "--out", tmp_path / "out")
    assert "compared with those of MediaPipe" in measure("measure_pose", *words)
    found = rows(tmp_path / "out" / "pose.csv")
    assert [row["video"] for row in found] == [video.stem, "all"]
    row = {name: float(value) for name, value in found[1].items() if name not in ("video", "made_by")}
    assert row["frames"] == len(poses)
    assert row["px, own decoder"] == pytest.approx(5, abs=1e-3)
    assert row["px"] == pytest.approx(5, abs=2)
    assert row["mm"] == pytest.approx(10, abs=4)
    assert row["person, ours"] == 1
    assert row["person, MediaPipe"] == row["same frames"] == pytest.approx(1 - 1 / len(poses))
    assert min(row[f"{what}, {who}"] for what in ("frames/s", "CPU ms") for who in ("ours", "MediaPipe")) > 0


@pytest.mark.parametrize("model", measure_skeletons.LEARNT + measure_skeletons.FITTED)
def test_every_model_of_joints_has_options_that_are_there(tmp_path, model):
    chosen = measure_skeletons.SETS["msr"]
    for training in (
        measure_skeletons.fold_training(model, 0, 0, chosen, tmp_path, None),
        measure_skeletons.synthetic_training(model, chosen, tmp_path),
    ):
        assert read_settings(training.words)["data"]["preprocessing"]


def test_the_flow_baseline_is_measured(measure, strokes):
    assert {line.split(":")[0] for line in measure("flow_baseline", strokes).splitlines()} == {
        "logistic regression",
        "SVM",
    }


def test_closeness_is_measured(measure, experts):
    lines = measure("measure_closeness", "--experts", experts).splitlines()
    assert [line.split(":")[0] for line in lines] == [*(f"p{n}" for n in range(1, 9)), "all", "smash"]


def test_diagnoses_are_measured(measure, tmp_path):
    assert "all faultless strokes with a finding" in measure("measure_diagnosis", "--out", tmp_path)
    found = rows(tmp_path / "diagnosis.csv")
    assert {row["class"] for row in found} == {"smash"}
    assert {row["size"] for row in found} == {"small", "medium", "large"}


def test_explanations_are_measured(measure, trained, strokes):
    lines = measure("measure_explanations", trained, strokes).splitlines()
    assert len(lines) == len(PIXEL_METHODS)
    for line in lines:
        assert re.search(r"of 2 clips(; log-odds fall by -?\d|$)", line)


def test_silhouettes_are_measured(measure, tmp_path):
    picture = tmp_path / "silhouettes.png"
    printed = measure("measure_silhouettes", "--pictures", picture)
    clip = re.search(r"^seed 7, \w+: pose ([\d.]+), graph_cut ([\d.]+)$", printed, re.MULTILINE)
    for way, overlap in zip(("pose", "graph_cut"), clip.groups(), strict=True):
        mean, median, worst, share, seconds = re.search(rf"^\| `{way}` \| (.+) s \|$", printed, re.MULTILINE)[
            1
        ].split(" | ")
        assert 0 < float(overlap) < 1
        assert mean == median == worst == overlap
        assert float(share) == (float(overlap) < 0.5)
        assert float(seconds) > 0
    assert picture.is_file()


def test_explanations_from_joints_are_measured(measure, posed_run):
    line = measure("measure_joint_explanations", posed_run)
    assert line.startswith("hottest: ")
    assert line.rstrip().endswith("clips")


def test_errors_of_the_pose_model_are_measured(measure, tmp_path):
    measure("measure_pose_errors", "--out", tmp_path)
    found = rows(tmp_path / "pose_errors.csv")
    assert {row["joint"] for row in found} >= {"wrist", "hip"}
    assert {(row["errors"], row["kind"]) for row in found} == {
        (who, kind) for who in ("pose model", "drawn") for kind in ("constant", "changing")
    }
    of_wrist, of_hip = (
        [float(row["z"]) for row in found if row["joint"] == joint and row["kind"] == "changing"]
        for joint in ("wrist", "hip")
    )
    assert all(wrist > hip >= 0 for wrist, hip in zip(of_wrist, of_hip, strict=True))


def test_names_without_labels_are_measured(measure, posed_clips, posed_cache, experts, tmp_path):
    (tmp_path / "joints").symlink_to(posed_cache)
    printed = measure("measure_names", "tennis", "--data", posed_clips, "--out", tmp_path)
    assert "names of strokes without labels: tennis" in printed
    everything, few = rows(tmp_path / "names_tennis.csv")
    assert everything["clips"] == few["clips"]
    assert float(few["chance"]) == pytest.approx(0.25, abs=0.15)
    assert 0 <= float(everything["accuracy"]) <= float(few["accuracy"]) <= 1
    measure("measure_names", "thetis", "--data", experts, "--out", tmp_path, "--fps", 30)
    assert float(rows(tmp_path / "names_thetis.csv")[1]["accuracy"]) > 0
