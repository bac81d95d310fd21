"""Exported graphs of models of joints against the models, and the same commands with both."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from drawn_joints import CLASSES, PREPROCESSING, draw_stroke, teach

from tt_actions.clips.dataset import HANDS
from tt_actions.export import export
from tt_actions.export.joint_graph import draw_joints
from tt_actions.export.joint_verification import compare_joints
from tt_actions.main import main
from tt_actions.models import (
    STGCN,
    Fisher,
    HMMClassifier,
    JointKernel,
    PoseLSTMFuzzy,
    SkeletonC3D,
    SkeletonLSTM,
    TrajectoryCNN,
)
from tt_actions.recognition.loading import load
from tt_actions.recognition.onnx_description import read_description
from tt_actions.recognition.onnx_recognizer import OnnxRecognizer, open_engine
from tt_actions.recognition.recognizer import Recognizer

K = len(CLASSES)
NETWORKS = {
    "JointKernel": lambda: JointKernel(K, "ntu25"),
    "Fisher": lambda: Fisher(K, "ntu25", num_gaussians=4),
    "STGCN": lambda: STGCN(K, "ntu25", channels=[4, 4]),
    "causal STGCN with a delay": lambda: STGCN(K, "ntu25", channels=[4, 4], causal=True, stride=1, delay=2),
    "SkeletonLSTM": lambda: SkeletonLSTM(K, "ntu25", feature_size=8, hidden_size=8),
    "PoseLSTMFuzzy": lambda: PoseLSTMFuzzy(K, "ntu25", hidden_size=8, num_rules=4),
    "TrajectoryCNN": lambda: TrajectoryCNN(K, "ntu25", channels=[4, 4], dilations=[1, 2]),
    "SkeletonC3D": lambda: SkeletonC3D(K, "ntu25", channels=[4, 4], feature_size=8, fc_size=8),
}
QUICK = ("JointKernel", "TrajectoryCNN")  # the others take seconds each in ONNX


@pytest.fixture(scope="module")
def drawn():
    """The normalised joints of the strokes of three players, and their classes."""
    chosen = [(seed, label) for seed in range(3) for label in CLASSES]
    clips = [PREPROCESSING.normalise(draw_stroke(*stroke), "drawn") for stroke in chosen]
    return clips, [CLASSES.index(label) for _, label in chosen]


def make(name, drawn):
    torch.manual_seed(0)
    return teach(NETWORKS[name](), *drawn, steps=2)


def named(names):
    return [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow, id=n) for n in names]


@pytest.mark.parametrize("name", NETWORKS)
def test_torchscript_graphs_give_the_logits_of_the_model(name, drawn):
    model = make(name, drawn)
    graphs = export.write_graphs(model, "torchscript")
    assert list(graphs) == ["model"]
    assert export.verify(model, graphs, "torchscript") < 1e-5


@pytest.mark.parametrize("name", named(NETWORKS))
def test_onnx_graphs_give_the_logits_of_the_model(name, drawn):
    model = make(name, drawn)
    assert export.verify(model, export.write_graphs(model, "onnx"), "onnx") < 3e-5


def hand_kernel(drawn):
    """A kernel that knows hands: of every other training clip."""
    clips, labels = drawn
    network = JointKernel(K, "ntu25").eval()
    for number, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        inputs = torch.from_numpy(clip).movedim(-1, 1)[None]
        hand = torch.tensor([HANDS["right" if number % 2 else None]])
        network.collect(inputs, torch.tensor([len(clip)]), torch.tensor([label]), hand)
    network.solve()
    return Recognizer(network, CLASSES, PREPROCESSING)


def test_a_hand_reaches_the_graph(drawn):
    model = hand_kernel(drawn)
    run = export._open_torchscript(export.write_graphs(model, "torchscript")["model"])[0]
    assert compare_joints(model, run) < 1e-5
    with pytest.raises(
        ValueError, match=r"Expected the logits of the exported graph to differ .* on clips of"
    ):
        compare_joints(model, lambda joints, lengths, hands: run(joints, lengths, 0 * hands))


def test_drawn_strokes_are_no_trivial_check(drawn):
    model = make("JointKernel", drawn)
    joints, lengths, hands = draw_joints(model, (30, 20, 40), 0)
    logits = model.network.forward_with_hands(joints, lengths, hands)[:, 0]
    assert logits.std(0).max() > 0.1


def test_what_no_graph_can_represent_is_refused(drawn):
    model = teach(HMMClassifier(K, "ntu25", num_states=2, num_gaussians=1, num_iterations=1), *drawn)
    with pytest.raises(
        ValueError, match=r"a graph can represent, but got HMMClassifier: it sums .* checkpoint"
    ):
        export.check_exportable(model)


@pytest.fixture(scope="module")
def exported(posed_run, tmp_path_factory):
    """The trained model of joints in ONNX."""
    out = tmp_path_factory.mktemp("exported") / "onnx"
    main(["export", "--checkpoint", str(posed_run / "checkpoints" / "best.ckpt"), "--out", str(out)])
    return out


def test_the_description_is_enough(exported, posed_run):
    model, engine = load(posed_run / "checkpoints" / "best.ckpt"), open_engine(exported)
    assert isinstance(engine, OnnxRecognizer)
    assert engine.preprocessing == model.preprocessing
    assert engine.typical_swing == model.typical_swing
    assert engine.class_names == model.class_names
    assert engine.network.layout is model.network.layout
    description = read_description(exported)
    assert (description.network, description.state) == ("JointKernel", None)
    assert {path.name for path in exported.iterdir()} == {"model.onnx", "model.json"}
    older = json.loads((exported / "model.json").read_text())
    del older["typical_swing"]
    (exported / "older").mkdir()
    (exported / "older" / "model.json").write_text(json.dumps(older))
    assert read_description(exported / "older").typical_swing is None
    (exported / "older" / "model.json").unlink()
    (exported / "older").rmdir()


def test_the_engine_predicts_and_analyses_what_the_model_does(exported, posed_run, posed_clips):
    model, engine = load(posed_run / "checkpoints" / "best.ckpt"), open_engine(exported)
    video = sorted(posed_clips.rglob("*.mp4"))[0]
    clip = model.preprocessing.read_clip(video)
    for hand in HANDS:
        ours, theirs = (one.classify(*clip, hand).probabilities for one in (engine, model))
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert engine.predict(video).probabilities == pytest.approx(model.classify(*clip).probabilities, abs=1e-5)
    found, expected = (one.analyze(video) for one in (engine, model))
    assert len(expected.strokes) > 0
    assert [(s.label, s.start_s) for s in found.strokes] == [(s.label, s.start_s) for s in expected.strokes]
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


def test_the_command_compares_held_out_clips_and_analyses_with_the_graph(
    posed_run, posed_clips, tmp_path, capsys
):
    checkpoint, out = posed_run / "checkpoints" / "best.ckpt", tmp_path / "script"
    words = ["export", "--checkpoint", str(checkpoint), "--format", "torchscript", "--out", str(out)]
    command = [sys.executable, "-m", "tt_actions.main", *words]  # a process that has trained nothing
    end = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "held-out clip" in end.stdout, end.stderr
    assert "get the same class" in end.stdout
    assert (out / "model.pt").is_file()
    with pytest.raises(ValueError, match="model of video frames with `int8`, but got a model of joints"):
        main(["export", "--checkpoint", str(checkpoint), "--int8", "--out", str(tmp_path / "int8")])
    assert not (tmp_path / "int8").exists()
    moved = tmp_path / "elsewhere" / "best.ckpt"
    moved.parent.mkdir()
    moved.write_bytes(checkpoint.read_bytes())
    main(["export", "--checkpoint", str(moved)])
    assert "on synthetic strokes only" in capsys.readouterr().out
    video = sorted(posed_clips.rglob("*.mp4"))[0]
    options = ["--engine", "onnx", "--pose", "blazepose", "--no-video", "--out", str(tmp_path / "match")]
    with pytest.raises(SystemExit) as end:
        main(["analyze", str(video), "--checkpoint", str(moved), *options])
    assert end.value.code == 0
    assert (tmp_path / "match" / "strokes.csv").is_file()
