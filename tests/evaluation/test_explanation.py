"""Explanations: heat of every model and of networks with a known answer, and the command that writes it."""

import copy
import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tt_actions
import tt_actions.models
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.evaluation.class_activation import grad_cam
from tt_actions.evaluation.explain import explain, write_explanation
from tt_actions.evaluation.occlusion import log_odds
from tt_actions.evaluation.pixel_explanation import PixelExplanation
from tt_actions.main import main
from tt_actions.models import C3D, CNN, CNNLSTM, LSTM, R3DTransformer
from tt_actions.models.base import ActionModel
from tt_actions.models.closed_form import ClosedFormModel
from tt_actions.recognition.loading import load
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.video.encoder import write_video

SIZE = (32, 48)
NUM_FRAMES = 5
CLASSES = ["dark", "bright", "other"]
MODELS = [
    model
    for _, model in inspect.getmembers(tt_actions.models, inspect.isclass)
    if issubclass(model, ActionModel)
    and not issubclass(model, ClosedFormModel)
    and "layout" not in inspect.signature(model).parameters  # models of joints read no frames
    and getattr(model, "in_channels", 3) == 3  # models of silhouettes read no RGB
    and not inspect.isabstract(model)
]


def recognizer(network, num_frames=NUM_FRAMES):
    preprocessing = Preprocessing(10, SIZE, num_frames=num_frames, mean=(0.0,) * 3, std=(1.0,) * 3)
    names = CLASSES[: network.num_classes]
    return Recognizer(network, names, preprocessing).eval()


def square_frames(num_frames, place, rng=None):
    """Dark grey frames with a bright square of 8 pixels at the position (row, column)."""
    frames = np.full((num_frames, *SIZE, 3), 40, np.uint8)
    if rng is not None:
        frames = rng.integers(0, 80, frames.shape).astype(np.uint8)
    if place is not None:
        frames[:, place[0] : place[0] + 8, place[1] : place[1] + 8] = 250
    return frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Five frames of noise with a bright square, in a folder of the class's name."""
    path = tmp_path_factory.mktemp("clips") / "bright" / "square.mp4"
    path.parent.mkdir()
    write_video(path, square_frames(NUM_FRAMES, (16, 24), np.random.default_rng(0)), fps=10, crf=0)
    return path


@pytest.mark.parametrize("model_class", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("num_frames", [1, NUM_FRAMES])
def test_every_model_gives_every_frame_heat(model_class, num_frames, clip):
    torch.manual_seed(0)
    model = recognizer(model_class(num_classes=3), num_frames)
    explanation = explain(model, clip)
    t, height, width = explanation.heat.shape
    assert t == num_frames == len(explanation.frames)
    assert 1 < height <= SIZE[0]
    assert 1 < width <= SIZE[1]
    assert np.isfinite(explanation.heat).all()
    assert explanation.heat.min() >= 0
    assert explanation.heat.max() == pytest.approx(1)
    assert explanation.method == ("occlusion" if model_class is LSTM else "hirescam")
    expected = model.predict(clip)
    np.testing.assert_allclose(
        explanation.prediction.frame_probabilities, expected.frame_probabilities, atol=1e-5
    )
    assert explanation.prediction.label == explanation.class_name == expected.label
    np.testing.assert_array_equal(explanation.prediction.times_s, expected.times_s)


@pytest.mark.parametrize("model_class", MODELS, ids=lambda model: model.__name__)
def test_maps_stand_for_as_many_frames_as_the_model_says(model_class):
    network = model_class(num_classes=3).eval()
    maps = network.feature_maps()
    if maps is None:
        return
    for num_frames in (1, 5, 8, 11):
        seen = []
        with maps.module.register_forward_hook(lambda *call, seen=seen: seen.append(call[-1])):
            network(torch.rand(1, num_frames, 3, *SIZE), torch.tensor([num_frames]))
        (output,) = seen
        steps = output.shape[2] if output.ndim == 5 else len(output)
        assert steps == -(-num_frames // maps.stride)


@pytest.mark.parametrize("model_class", MODELS, ids=lambda model: model.__name__)
def test_the_model_stays_as_it_was(model_class, clip):
    model = recognizer(model_class(num_classes=3))
    model.network.train()
    first = next(model.network.parameters())
    first.requires_grad_(False)
    before, modes = (
        copy.deepcopy(model.network.state_dict()),
        [module.training for module in model.network.modules()],
    )
    explain(model, clip)
    assert [module.training for module in model.network.modules()] == modes
    assert [p.requires_grad for p in model.network.parameters()] == [
        p is not first for p in model.network.parameters()
    ]
    assert all(p.grad is None for p in model.network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert not any(module._forward_hooks for module in model.network.modules())


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_explains_where_gradients_are_off(off, clip):
    model = recognizer(CNNLSTM(3))
    with off():
        assert explain(model, clip).heat.any()


def brightness_network():
    """A CNN with one map, the mean brightness above 0.5; the class 'bright' grows with it."""
    network = CNN(2, channels=[1], grid=(4, 6), feature_size=1, fc_size=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.cnn.layers[0].weight[:, :, 1, 1] = 1 / 3
        network.cnn.layers[0].bias.fill_(-0.5)
        network.cnn.adjust_scale[2].weight.fill_(1)
        network.head[1].weight.fill_(1)
        network.head[4].weight.copy_(torch.tensor([[-1.0], [1.0]]))
    return network


def test_heat_is_on_the_pixels_that_the_network_reads(tmp_path):
    for place in ((0, 0), (8, 32), (24, 40)):
        path = tmp_path / f"{place}.mp4"
        write_video(path, square_frames(NUM_FRAMES, place), fps=10, crf=0)
        heat = explain(recognizer(brightness_network()), path, class_name="bright").heat
        square = np.zeros((16, 24))
        square[place[0] // 2 : place[0] // 2 + 4, place[1] // 2 : place[1] // 2 + 4] = 1
        assert heat.shape == (NUM_FRAMES, 16, 24)
        np.testing.assert_allclose(heat, np.broadcast_to(square, heat.shape), atol=0.02)


def test_nothing_supports_the_class_that_the_square_contradicts(tmp_path):
    path = tmp_path / "square.mp4"
    write_video(path, square_frames(NUM_FRAMES, (8, 8)), fps=10, crf=0)
    model = recognizer(brightness_network())
    explanation = explain(model, path, class_name="dark")
    assert explanation.heat.shape == (NUM_FRAMES, 16, 24)
    assert not explanation.heat.any()
    write_explanation(tmp_path, explanation, model, "none")
    assert json.loads((tmp_path / "explanation.json").read_text())["speaks_for_it"] is False


def test_a_place_counts_by_itself_in_hirescam_alone(tmp_path):
    """Two squares, of which the head reads the left one; the mean over the frame can't distinguish them."""
    frames = square_frames(NUM_FRAMES, (8, 4))
    frames[:, 8:16, 36:44] = 250
    path = tmp_path / "squares.mp4"
    write_video(path, frames, fps=10, crf=0)
    network = brightness_network()
    with torch.no_grad():
        network.cnn.adjust_scale[2].weight.view(4, 6)[:, 3:] = 0
    left = np.zeros((NUM_FRAMES, 16, 24))
    left[:, 4:8, 2:6] = 1
    both = left + left[..., ::-1]
    for method, expected in (("grad-cam", both), ("hirescam", left)):
        heat = explain(recognizer(network), path, class_name="bright", method=method).heat
        np.testing.assert_allclose(heat, expected, atol=0.02)


def test_both_methods_agree_on_a_network_that_averages_over_the_picture(clip):
    torch.manual_seed(0)
    model = recognizer(R3DTransformer(3))
    heat = {method: explain(model, clip, method=method).heat for method in ("grad-cam", "hirescam")}
    np.testing.assert_allclose(heat["grad-cam"], heat["hirescam"], atol=1e-5)


def test_an_unknown_method_is_refused(clip):
    with pytest.raises(
        ValueError, match=r"`method` to be hirescam or grad-cam or occlusion .*, but got 'lime'"
    ):
        explain(recognizer(CNN(3)), clip, method="lime")


def trained_to_see_squares(network, num_steps):
    """Train a network to distinguish clips with a bright square, anywhere, from noise."""
    rng = np.random.default_rng(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(num_steps):
        labels = rng.integers(2, size=8)
        places = [(rng.integers(SIZE[0] - 8), rng.integers(SIZE[1] - 8)) if y else None for y in labels]
        clips = np.stack([square_frames(NUM_FRAMES, place, rng) for place in places])
        inputs = torch.from_numpy(clips).movedim(-1, 2).float() / 255
        lengths = torch.full((8,), NUM_FRAMES)
        log_probs = network.clip_log_probability(network(inputs, lengths), lengths)
        loss = F.nll_loss(log_probs, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@pytest.mark.parametrize("model_class", [CNN, C3D])
def test_heat_of_a_trained_network_lies_on_the_square(model_class, clip):
    torch.manual_seed(0)
    options = {"channels": [8, 8], "grid": (1, 1), "feature_size": 16}
    model = recognizer(trained_to_see_squares(model_class(2, **options), num_steps=120))
    explanation = explain(model, clip)
    assert explanation.prediction.label == "bright"
    assert explanation.prediction.probabilities["bright"] > 0.9
    fine = F.interpolate(torch.from_numpy(explanation.heat)[None], SIZE, mode="bilinear")[0].numpy()
    on_square = fine[:, 12:28, 20:36].sum((1, 2)) / fine.sum((1, 2))  # with one cell of the map around it
    assert (on_square > 0.5).all(), on_square  # of 17 % of the picture


def test_grad_cam_is_that_of_a_network_differentiated_by_hand():
    rng = np.random.default_rng(0)
    maps, weight = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 3 * 4 * 5))
    hidden = maps.reshape(2, -1) @ weight.T  # logits of a linear layer on the maps
    others = np.exp(hidden[:, [0, 2]]) / np.exp(hidden[:, [0, 2]]).sum(1, keepdims=True)
    slope = (weight[1] - others @ weight[[0, 2]]) / 2  # of the mean log-odds of class 1, by frame
    expected = np.zeros((2, 4, 5))
    for t in range(2):
        for c in range(3):
            expected[t] += slope[t].reshape(3, 4, 5)[c].mean() * maps[t, c]
    source = torch.from_numpy(maps).requires_grad_()
    score = log_odds(source.flatten(1) @ torch.from_numpy(weight).T, 1).mean()
    (gradient,) = torch.autograd.grad(score, source)
    np.testing.assert_allclose(grad_cam(source.detach(), gradient).numpy(), expected.clip(0), atol=1e-12)


def test_explain_is_grad_cam_of_the_parts_put_together(clip):
    """Calls features and classifier one after the other, with a gradient by finite differences."""
    torch.manual_seed(0)
    network = CNN(3, channels=[2], grid=(2, 2), feature_size=4, fc_size=4).double().eval()
    model = recognizer(network)
    model.normalise.double()
    explanation = explain(model, clip, class_name="other", method="grad-cam")
    inputs = torch.from_numpy(explanation.frames).movedim(-1, 1).double() / 255
    with torch.no_grad():
        maps = network.cnn.layers(inputs)

        def score(changed):
            logits = network.head(network.cnn.adjust_scale(changed)).numpy()
            p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            return np.log(p[:, 2] / (1 - p[:, 2])).mean()

        heat = torch.zeros(len(maps), *maps.shape[2:])
        for t in range(len(maps)):
            for c in range(maps.shape[1]):
                step = torch.zeros_like(maps)
                step[t, c] = 1e-6  # all pixels at once: the sum of their slopes
                slope = (score(maps + step) - score(maps - step)) / 2e-6 / maps[0, 0].numel()
                heat[t] += slope * maps[t, c]
    heat = heat.clamp(min=0)
    np.testing.assert_allclose(explanation.heat, (heat / heat.max()).numpy(), atol=1e-4)


def test_a_part_of_the_clip_and_its_folder_are_honoured(clip):
    model = recognizer(CNN(3))
    whole = explain(model, clip, class_name="bright")
    assert whole.clip.label == "bright"
    part = explain(model, clip, start_s=0.2, end_s=0.4, roi=(0, 0, 24, 16))
    assert part.prediction.times_s.min() >= 0.2 - 1e-9
    assert part.prediction.times_s.max() < 0.4
    assert not np.array_equal(part.frames, whole.frames)
    assert isinstance(whole, PixelExplanation)
    assert replace(whole, heat=part.heat).class_name == "bright"
    assert tt_actions.explain is explain


@pytest.mark.parametrize("name", ["lob", ""])
def test_a_class_that_the_model_lacks_is_refused_before_the_clip_is_read(name):
    message = f"Expected the class to be one of dark, bright, other, but got '{name}'"
    with pytest.raises(ValueError, match=message):
        explain(recognizer(CNN(3)), "nowhere.mp4", class_name=name)


def test_the_command_writes_the_explanation_of_the_model(trained, strokes, tmp_path, capsys):
    record, checkpoint = read_manifest(strokes)[0], trained / "checkpoints" / "best.ckpt"
    roi = ",".join(map(str, record.roi))
    words = ["explain", "--checkpoint", str(checkpoint), "--clip", str(record.path), "--out"]
    main([*words, str(tmp_path / "out"), "--roi", roi, "--class", "smash", "--end-s", "1"])
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "explanation.json",
        "explanation.png",
        "heatmaps.npz",
    ]
    printed = capsys.readouterr().out
    assert str(out / "explanation.png") in printed
    assert (out / "explanation.png").read_bytes().startswith(b"\x89PNG")

    model = load(checkpoint)
    expected = model.predict(record.path, end_s=1, roi=record.roi)
    metadata = json.loads((out / "explanation.json").read_text("utf-8"))
    assert metadata["label"] == expected.label
    assert metadata["label"] in printed
    assert metadata["explained_class"] == "smash"
    assert metadata["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert metadata["roi"] == list(record.roi)
    assert metadata["made_by"] | {"checkpoint": str(checkpoint), "method": "hirescam"} == metadata["made_by"]
    assert isinstance(model.network.get_submodule(metadata["made_by"]["layer"]), nn.Module)
    with np.load(out / "heatmaps.npz") as arrays:
        assert sorted(arrays) == ["boxes", "class_names", "frame_probabilities", "heat", "regions", "times_s"]
        assert arrays["heat"].shape == (len(expected.times_s), *metadata["made_by"]["heat_size"])
        np.testing.assert_array_equal(arrays["times_s"], expected.times_s)
        np.testing.assert_allclose(arrays["frame_probabilities"], expected.frame_probabilities, atol=1e-5)
        assert arrays["class_names"].tolist() == list(model.class_names)
    first = (out / "explanation.png").read_bytes()
    main([*words, str(out), "--roi", roi, "--class", "smash", "--end-s", "1"])
    assert (out / "explanation.png").read_bytes() == first
    main([*words, str(out), "--roi", roi, "--class", "smash", "--end-s", "1", "--method", "grad-cam"])
    assert json.loads((out / "explanation.json").read_text("utf-8"))["made_by"]["method"] == "grad-cam"
    assert (out / "explanation.png").read_bytes() != first


REFUSED = {
    "a missing clip": ({"clip": "nowhere.mp4"}, "no file 'nowhere.mp4'"),
    "a missing checkpoint": ({"checkpoint": "nowhere.ckpt"}, "there is no file 'nowhere.ckpt'"),
    "a checkpoint of something else": ({"checkpoint": "OTHER"}, "to be a tt_actions checkpoint"),
    "a clip of something else": ({"clip": "OTHER"}, "to be a video"),
    "another class": ({"class": "lob"}, "one of serve, forehand, backhand, smash, but got 'lob'"),
    "an empty region": ({"roi": "9,9,9,20"}, "Expected `roi` to be x0,y0,x1,y1"),
    "a region outside": ({"roi": "0,0,999,999"}, "Expected `roi` to lie within the 160x120 pixels"),
    "times that run backwards": ({"start-s": "2", "end-s": "1"}, "0 <= start < end"),
    "a start past the end": ({"start-s": "60"}, "Expected"),
    "a file to write to": ({"out": "OTHER"}, "Expected a folder to write to, but"),
}


@pytest.mark.parametrize(("changed", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_by_name(trained, strokes, tmp_path, changed, message):
    other = tmp_path / "other.bin"
    torch.save({"weights": torch.zeros(3)}, other)
    record = read_manifest(strokes)[0]
    options = {
        "checkpoint": trained / "checkpoints" / "best.ckpt",
        "clip": record.path,
        "roi": ",".join(map(str, record.roi)),
        "out": tmp_path / "out",
        **{key: other if value == "OTHER" else value for key, value in changed.items()},
    }
    with pytest.raises((ValueError, OSError), match=message):
        main(["explain", *(str(word) for key, value in options.items() for word in (f"--{key}", value))])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("roi", ["1,2,3", "1,2,3,x", "-1,0,4,4"])
def test_a_region_that_is_none_is_refused_with_the_usage(roi, capsys):
    with pytest.raises(SystemExit):
        main(["explain", "--checkpoint", "a", "--clip", "b", "--out", "c", f"--roi={roi}"])
    assert f"Expected x0,y0,x1,y1 such as 0,0,852,410, but got '{roi}'" in capsys.readouterr().err
