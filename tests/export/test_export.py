"""Exported graphs against the models that they come from, in ONNX, in TorchScript and in int8."""

import json
import subprocess
import sys
from dataclasses import replace
from operator import attrgetter

import numpy as np
import onnxruntime
import pytest
import torch
from recurrent_models import Attention, Recurrent
from torch import nn

from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.export import export
from tt_actions.export.measurement import Comparison, EngineFigures, table, verdict
from tt_actions.export.onnx_graphs import OPSET
from tt_actions.export.recurrent import OnnxRecurrent
from tt_actions.export.verification import compare_stream
from tt_actions.main import main
from tt_actions.models import C3D, CNN, CNNLSTM, CRF, LSTM, MOF, CNNLSTMPlus, HistogramKernel, R3DTransformer
from tt_actions.recognition.loading import load
from tt_actions.recognition.onnx_description import read_description
from tt_actions.recognition.onnx_recognizer import OnnxRecognizer, open_engine
from tt_actions.recognition.pipeline import analyze_video
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.stream import CausalStream

HEAD = {"feature_size": 8, "fc_size": 8}
NETWORKS = {
    "CNN": lambda k: CNN(k, channels=[4], grid=(3, 2), **HEAD),
    "MOF": lambda k: MOF(k, channels=[4], grid=(2, 2), **HEAD),
    "LSTM": lambda k: LSTM(k, grid=(3, 4), hidden_size=8, fc_size=8),
    "LSTM without peepholes": lambda k: LSTM(k, grid=(2, 2), hidden_size=8, fc_size=8, peepholes=False),
    "CNNLSTM": lambda k: CNNLSTM(k, channels=[4], grid=(3, 2), hidden_size=8, average="learned", **HEAD),
    "CNNLSTM with a delay": lambda k: CNNLSTM(k, channels=[4], grid=(2, 2), hidden_size=8, delay=2, **HEAD),
    "CNNLSTMPlus": lambda k: CNNLSTMPlus(k, channels=[8], grid=(2, 2), feature_size=8, hidden_size=8),
    "CNNLSTMPlus without motion and shift": lambda k: CNNLSTMPlus(
        k, channels=[8, 16], grid=(2, 2), feature_size=8, hidden_size=8, delay=1, motion=False, shift=False
    ),
    "C3D": lambda k: C3D(k, channels=[4, 4], grid=(2, 2), **HEAD),
    "R3DTransformer": lambda k: R3DTransformer(k, channels=[4, 4], num_layers=1, num_heads=2, fc_size=8),
    "CRF": lambda k: CRF(k, lambda k: CNN(k, channels=[4], grid=(2, 2), **HEAD)),
}
NETWORKS |= {
    "GRU of PyTorch": lambda k: Recurrent(k, nn.GRU, 2),
    "LSTM of PyTorch": lambda k: Recurrent(k, nn.LSTM, 2),
    "transformer of PyTorch": Attention,
}
SLOW = (  # seconds each, and others stand for them: a trained CNNLSTM, and the CNN that is below the CRF
    "CNN",
    "MOF",
    "CNNLSTM",
    "LSTM without peepholes",
    "CNNLSTMPlus without motion and shift",
    "LSTM",
    "R3DTransformer",
)


def make(build):
    """A model with weights of chance, and statistics of batch normalisation that are not the first ones."""
    torch.manual_seed(0)
    how = {"fps": 10, "size": [16, 16], "num_frames": 4}
    model = Recognizer(build(3), ["a", "b", "c"], Preprocessing(**how))
    frames = torch.randint(0, 256, (4, 5, 3, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        model.network.train()
        model(frames, torch.full((4,), 5))
    return model.eval()


def named(names):
    return [pytest.param(n, marks=pytest.mark.slow if n in SLOW else (), id=n) for n in names]


@pytest.fixture(scope="module")
def checkpoint(trained):
    return trained / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    """A trained model in ONNX and in int8, calibrated and measured on the clips of its run."""
    out = tmp_path_factory.mktemp("exported") / "onnx"
    main(["export", "--checkpoint", str(checkpoint), "--out", str(out), "--int8"])
    return out


def run_apart(model, graphs, folder, lengths=(2, 6, 3)):
    """Run a TorchScript graph in a process that knows nothing of ours."""
    frames = torch.randint(0, 256, (len(lengths), max(lengths), 3, 16, 16), dtype=torch.uint8)
    torch.save((frames, torch.tensor(lengths)), folder / "inputs.pt")
    (folder / "model.pt").write_bytes(graphs["model"])
    script = (
        "import sys, warnings; warnings.simplefilter('ignore'); import torch\n"
        "inputs = torch.load('inputs.pt'); torch.save(torch.jit.load('model.pt')(*inputs), 'logits.pt')\n"
        "assert not any('tt_actions' in name for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", script], cwd=folder, check=True)
    with torch.no_grad():
        return torch.load(folder / "logits.pt"), model(frames, torch.tensor(lengths))


@pytest.mark.parametrize("name", named(n for n in NETWORKS if n != "CRF"))  # has a test of its own
def test_onnx_graphs_give_the_logits_of_the_model(name):
    model = make(NETWORKS[name])
    graphs = export.write_graphs(model, "onnx")
    assert ("step" in graphs) == model.network.frame_network.is_causal
    assert export.verify(model, graphs, "onnx") < 1e-4
    assert max(map(len, graphs.values())) < 400_000


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"bias": False, "batch_first": False}])
def test_a_recurrent_layer_becomes_the_same_operator(kind, options):
    torch.manual_seed(0)
    layer = kind(3, 4, 2, **{"batch_first": True, **options}).eval()
    x = torch.randn(5, 7, 3)
    exported = torch.export.export(OnnxRecurrent(layer), (x,), strict=False)
    program = torch.onnx.export(exported, (), opset_version=OPSET, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (name,) = (node.name for node in session.get_inputs())
    found = session.run(None, {name: x.numpy()})
    expected, state = layer(x)
    parts = state if isinstance(state, tuple) else (state,)
    for ours, theirs in zip(found, (expected, *parts), strict=True):
        np.testing.assert_allclose(ours, theirs.detach(), atol=1e-6)


def test_an_lstm_with_projections_is_refused():
    with pytest.raises(ValueError, match="ONNX has no projections, but got 2"):
        OnnxRecurrent(nn.LSTM(3, 4, proj_size=2))


def test_the_description_names_each_input_and_output_of_the_graphs(exported):
    types = {"uint8": "uint8", "int64": "int64", "float": "float32", "bool": "bool"}
    for name, told in read_description(exported).graphs.items():
        session = onnxruntime.InferenceSession(exported / f"{name}.onnx")
        for side, found in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            real = [(node.name, types[node.type[7:-1]], node.shape) for node in found]
            assert real == [(one["name"], one["type"], one["shape"]) for one in told[side]]
        frames = told["inputs"][0]
        assert (frames["shape"][:2], frames["range"]) == (["batch", "time"], [0, 255])


@pytest.mark.parametrize("name", NETWORKS)
def test_torchscript_graphs_give_the_logits_of_the_model(name):
    model = make(NETWORKS[name])
    assert export.verify(model, export.write_graphs(model, "torchscript"), "torchscript") < 1e-4


@pytest.mark.parametrize("name", ["CNNLSTM"])
def test_torchscript_runs_without_the_package(name, tmp_path):
    model = make(NETWORKS[name])
    found, expected = run_apart(model, export.write_graphs(model, "torchscript"), tmp_path)
    torch.testing.assert_close(found[1], expected[1], atol=1e-5, rtol=0)


def test_the_engine_gives_what_the_model_gives(exported, checkpoint, strokes):
    model, engine = load(checkpoint), open_engine(exported)
    assert isinstance(engine, OnnxRecognizer)
    facts = attrgetter("class_names", "typical_clip", "has_regions", "preprocessing")
    assert facts(engine) == facts(model)
    for record in read_manifest(strokes)[::8]:
        ours, theirs = (one.predict(record.path, roi=record.roi) for one in (engine, model))
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
    found, expected = (analyze_video(one, record.path, rois=[record.roi]) for one in (engine, model))
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    assert [s.label for s in found.strokes] == [s.label for s in expected.strokes]


def test_a_stream_goes_on_where_it_was(exported, checkpoint):
    frames = np.random.default_rng(0).integers(0, 256, (2, 9, 16, 16, 3), dtype=np.uint8)
    streams = [CausalStream(model) for model in (open_engine(exported), load(checkpoint))]
    for begin, end in ((0, 1), (1, 5), (5, 9)):
        found, expected = (stream.push(frames[:, begin:end]) for stream in streams)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_description_says_what_the_model_is(exported, checkpoint):
    model, description = load(checkpoint), read_description(exported)
    assert description.class_names == model.class_names
    assert (description.network, description.delay, description.format) == ("CNNLSTM", 0, "onnx")
    assert description.state == {"state_0": [16], "state_1": [16]}
    assert description.max_difference < 1e-4
    assert description.typical_clip == model.typical_clip.to_plain()
    assert json.loads(description.to_json()) == json.loads((exported / "model.json").read_text())
    names = {"model.onnx", "step.onnx", "model_int8.onnx", "step_int8.onnx", "model.json"}
    assert {path.name for path in exported.iterdir()} == names


def test_int8_is_measured_beside_float(exported, strokes):
    measured = read_description(exported).int8
    assert set(measured["engines"]) == {"torch", "onnx", "onnx int8"}
    assert measured["num_clips"] > 0
    for figures in measured["engines"].values():
        assert figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"]
    assert measured["verdict"].startswith("int8 is " if measured["is_gain"] else "int8 has no advantage")
    record = read_manifest(strokes)[0]
    eight, full = (
        open_engine(exported, int8).predict(record.path, roi=record.roi).probabilities
        for int8 in (True, False)
    )
    assert eight == pytest.approx(full, abs=0.1)
    assert eight != full
    assert (exported / "step_int8.onnx").read_bytes() != (exported / "step.onnx").read_bytes()


def test_own_clips_calibrate_and_measure(exported, checkpoint, strokes, tmp_path, capsys, monkeypatch):
    written = {name: (exported / f"{name}.onnx").read_bytes() for name in ("model", "step")}
    monkeypatch.setattr(export, "write_graphs", lambda *_: written)  # the same again would take seconds
    records = read_manifest(strokes)
    moved = tmp_path / "elsewhere" / "best.ckpt"
    moved.parent.mkdir()
    moved.write_bytes(checkpoint.read_bytes())
    (tmp_path / "own").mkdir()
    write_manifest(tmp_path / "own" / "clips.csv", [replace(r, split=None, group=None) for r in records])
    words = ["export", "--checkpoint", str(moved), "--int8"]
    with pytest.raises(FileNotFoundError, match="Pass a folder or a manifest"):
        main(words)
    main([*words, "--data", str(tmp_path / "own" / "clips.csv")])
    said = capsys.readouterr().out
    assert "onnx int8" in said
    assert "on 18 held-out clips" in said
    assert open_engine(moved).class_names == load(moved).class_names
    moved.write_bytes(moved.read_bytes() + b" ")
    with pytest.raises(ValueError, match="the checkpoint has changed since"):
        open_engine(moved)


def test_clips_that_were_learnt_from_measure_nothing(checkpoint, strokes, tmp_path):
    learnt = tmp_path / "learnt.csv"
    write_manifest(learnt, read_manifest(strokes))
    words = ["export", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out"), "--int8"]
    with pytest.raises(ValueError, match="was not trained on"):
        main([*words, "--data", str(learnt)])
    assert not (tmp_path / "out").exists()


def test_what_differs_is_not_written(checkpoint, tmp_path, monkeypatch):
    right = export.write_graphs

    def write_wrongly(model, written_in):
        model.network.head[-1].bias.data += 0.001
        graphs = right(model, written_in)
        model.network.head[-1].bias.data -= 0.001
        return graphs

    monkeypatch.setattr(export, "write_graphs", write_wrongly)
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"Expected the logits of the exported graph to differ .* 0\.001"):
        main(["export", "--checkpoint", str(checkpoint), "--format", "torchscript", "--out", str(out)])
    assert not out.exists()


def test_a_state_that_is_lost_is_found_out():
    model = make(NETWORKS["CNNLSTM"])
    _, step = export._open_torchscript(export.write_graphs(model, "torchscript")["step"])

    def forget(frames, is_first, state):
        return step(frames, is_first | True, state)

    with pytest.raises(ValueError, match="on a stream"):
        compare_stream(model, forget)


def test_torchscript_is_written_by_the_command_line(checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    main(["export", "--checkpoint", str(checkpoint), "--format", "torchscript", "--out", str(out)])
    assert "The logits of the graphs differ from the model's by at most" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"model.pt", "step.pt", "model.json"}
    with pytest.raises(ValueError, match="Expected ONNX graphs"):
        open_engine(out)
    with pytest.raises(ValueError, match="Expected `format`"):
        main(["export", "--checkpoint", str(checkpoint), "--format", "torchscript", "--int8"])


def test_a_crf_brings_its_chain(tmp_path):
    model = make(NETWORKS["CRF"])
    for weight in (model.network.initial, model.network.transitions):
        torch.nn.init.normal_(weight)
    (tmp_path / "a.ckpt").write_bytes(b"")
    description = export.describe_model(model, tmp_path / "a.ckpt", "onnx")
    graphs = export.write_graphs(model, "onnx")
    assert export.verify(model, graphs, "onnx") < 1e-4
    export.write_folder(tmp_path / "out", graphs, description)
    engine = open_engine(tmp_path / "out")
    frames, lengths = torch.randint(0, 256, (2, 6, 3, 16, 16), dtype=torch.uint8), torch.tensor([6, 6])
    with torch.no_grad():
        torch.testing.assert_close(engine(frames, lengths), model(frames, lengths), atol=1e-5, rtol=0)


def test_a_model_that_is_no_graph_is_refused():
    with pytest.raises(ValueError, match="but got HistogramKernel"):
        export.check_exportable(
            Recognizer(HistogramKernel(2), ["a", "b"], Preprocessing(10, (16, 16), num_frames=4, flow=True))
        )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "it must have exactly the fields average"),
        ({"version": 2}, "it has version 2"),
        ({"timing": {"fps": 1}}, "Expected a timing"),
        ({"preprocessing": {"fps": 10, "exec": "x"}}, "unexpected keyword"),
        ({"average": [[1.0]]}, "doesn't match"),
        (
            {"state": {"../../x": [16]}},
            "a graph has the inputs frames, is_first, state_0, state_1 instead of",
        ),
    ],
)
def test_a_broken_description_is_refused(exported, tmp_path, content, reason):
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if isinstance(content, dict):
        content = json.dumps(json.loads((exported / "model.json").read_text()) | content)
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ValueError, match=rf"Expected '.*model\.json' to be part of an exported.*({reason})"):
        open_engine(tmp_path).network.advance(torch.zeros(1, 1, 3, 16, 16, dtype=torch.uint8))


def test_a_broken_graph_is_refused(exported, tmp_path):
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "step.onnx").write_bytes(b"no graph")
    with pytest.raises(ValueError, match=r"step\.onnx"):
        open_engine(tmp_path)
    with pytest.raises(FileNotFoundError, match="Expected an exported model"):
        open_engine(tmp_path / "nowhere")


def test_a_missing_runtime_is_named_with_its_extra(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"pip install 'tt-actions\[export\]'"):
        open_engine(exported)


@pytest.mark.parametrize(
    ("speeds", "accuracies", "said"),
    [
        ((1.4, 1.3), (0.9, 0.897), "int8 is 1.40 times as fast as float and loses 0.3 points of accuracy"),
        ((0.8, 0.7), (0.9, 0.9), "has no advantage here: it is slower, 0.80 times as fast"),
        ((1.1, 0.9), (0.9, 0.9), "which is within the timing noise, and it loses no points"),
        (
            (2.0, 1.9),
            (0.9, 0.88),
            "has no advantage here: it is 2.00 times as fast as float, and it loses 2.0",
        ),
    ],
)
def test_int8_is_called_a_gain_only_where_it_is_one(speeds, accuracies, said):
    names = ("onnx", "onnx int8")
    figures = {n: EngineFigures(2.0, 1000, accuracy) for n, accuracy in zip(names, accuracies, strict=True)}
    comparison = Comparison(figures, *speeds, num_clips=100, num_threads=1)
    assert said in verdict(comparison)
    assert comparison.is_gain == ("has no advantage" not in verdict(comparison))
    assert "onnx int8" in table(comparison)
    assert "0.900" in table(comparison)
