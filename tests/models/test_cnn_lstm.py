import numpy as np
import pytest
import torch
from torch import nn

from tt_actions.models import CNNLSTM
from tt_actions.models.averages import LearnedAverage, mean_log_probability
from tt_actions.models.base import ActionModel
from tt_actions.models.frame_cnn import FrameCNN, map_valid_frames


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_is_found_by_its_bare_name():
    assert issubclass(CNNLSTM, ActionModel)


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (64, 80), (120, 160)])
def test_frames_of_any_size_give_features_of_one_width(size):
    assert FrameCNN(feature_size=10)(torch.rand(2, 3, *size)).shape == (2, 10)


def test_features_are_those_of_convolution_rectifier_pooling():
    cnn = FrameCNN(channels=(4, 5), grid=(2, 3), feature_size=7)
    convolutions = [layer for layer in cnn.layers if isinstance(layer, nn.Conv2d)]
    frames = x = torch.rand(2, 3, 16, 24)
    for convolution in convolutions:
        x = nn.functional.conv2d(x, convolution.weight, convolution.bias, stride=1, padding="same")
        x = nn.functional.max_pool2d(x.relu(), kernel_size=2, stride=2)
    assert x.shape == (2, 5, 4, 6)
    pooled = x.view(2, 5, 2, 2, 3, 2).mean((3, 5))
    expected = cnn.adjust_scale[2](pooled.flatten(1)).relu()
    torch.testing.assert_close(cnn(frames), expected, atol=1e-5, rtol=1e-5)


def test_weights_keep_the_scale_of_what_passes_through():
    cnn = FrameCNN(channels=(32, 32, 32), feature_size=256)
    x = torch.randn(8, 3, 32, 32)
    for layer in cnn.layers:
        if isinstance(layer, nn.Conv2d):
            y = layer(x)
            gain = y[..., 2:-2, 2:-2].square().mean() / x.square().mean()  # relu then halves it
            assert gain.item() == pytest.approx(2, rel=0.25)
            x = y.relu()


def test_a_large_training_batch_is_processed_in_parts_with_the_same_result(monkeypatch):
    cnn, frames, seen = FrameCNN(channels=(4, 5), grid=(2, 3)), torch.rand(9, 3, 16, 24), []
    cnn.layers.register_forward_hook(lambda *call: seen.append(len(call[-1])))

    def features_and_gradients():
        cnn.zero_grad()
        features = cnn(frames)
        features.square().sum().backward()
        return features, *(weight.grad.clone() for weight in cnn.parameters())

    together = features_and_gradients()
    monkeypatch.setattr("tt_actions.models.frame_cnn.PART_BYTES", 4 * 4 * 4 * 16 * 24)  # four frames
    torch.testing.assert_close(features_and_gradients(), together)
    cnn.eval()(frames)
    assert seen == [9, 3, 3, 3, 9]


def test_batch_normalisation_sees_the_whole_batch(monkeypatch):
    monkeypatch.setattr("tt_actions.models.frame_cnn.PART_BYTES", 1)
    cnn, seen = FrameCNN(channels=(4, 5), batch_norm=True), []
    cnn.layers.register_forward_hook(lambda *call: seen.append(len(call[-1])))
    cnn(torch.rand(9, 3, 16, 24))
    assert seen == [9]


def test_padding_stays_out_of_the_statistics_of_batch_normalisation():
    frames, lengths = torch.rand(2, 4, 3, 16, 16), torch.tensor([4, 1])
    statistics = []
    for padding in (0.0, 100.0):
        torch.manual_seed(0)
        model = CNNLSTM(4, batch_norm=True)
        frames[1, 1:] = padding
        model(frames, lengths)
        statistics.append(model.cnn.layers[1].running_mean)
    assert statistics[0].abs().max() > 0
    torch.testing.assert_close(*statistics, atol=0, rtol=0)


def test_only_valid_frames_are_computed():
    seen = []

    def network(frames):
        seen.append(len(frames))
        return frames.flatten(1)[:, :2] + 1

    frames, lengths = torch.rand(2, 3, 1, 2, 2), torch.tensor([1, 3])
    features = map_valid_frames(network, frames, lengths)
    assert seen == [4]
    expected = frames.flatten(2)[..., :2] + 1
    expected[0, 1:] = 0
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(map_valid_frames(network, frames[1:], lengths[1:]), expected[1:])


def test_learned_average_starts_as_the_mean():
    logits, lengths = torch.randn(3, 5, 4), torch.tensor([5, 2, 1])
    average = LearnedAverage(4)
    torch.testing.assert_close(average(logits, lengths), mean_log_probability(logits, lengths))


def test_learned_average_weighs_by_the_scores_of_valid_frames():
    logits, lengths = torch.randn(3, 5, 4), torch.tensor([5, 2, 1])
    average = LearnedAverage(4)
    nn.init.normal_(average.score.weight)
    spoilt = logits.clone()
    spoilt[1, 2:] = float("nan")
    result = average(spoilt, lengths).exp()
    score = average.score.weight.detach().numpy()[0]
    for k, length in enumerate(lengths.tolist()):
        frames = logits[k, :length].double().numpy()
        weights = np.exp(frames @ score) / np.exp(frames @ score).sum()
        softmax = np.exp(frames) / np.exp(frames).sum(1, keepdims=True)
        np.testing.assert_allclose(result[k].detach(), weights @ softmax, atol=1e-5)


def test_learned_average_is_the_models_and_learns():
    model = CNNLSTM(4, average="learned")
    lengths = torch.tensor([3, 2])
    logits = model(torch.rand(2, 3, 3, 16, 16), lengths)
    assert logits.shape == (2, 3, 4)
    model.clip_log_probability(logits, lengths)[:, 0].sum().backward()
    assert model.average.score.weight.grad.any()


@pytest.mark.parametrize("average", ["mean", "learned"])
def test_a_handful_of_clips_is_learnt(average):
    frames, labels = torch.rand(4, 5, 3, 16, 16), torch.tensor([0, 1, 2, 3])
    lengths = torch.tensor([5, 4, 5, 3])
    model = CNNLSTM(4, channels=(8, 8), average=average)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        loss = nn.functional.nll_loss(model.clip_log_probability(model(frames, lengths), lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    predicted = model.clip_log_probability(model(frames, lengths), lengths).argmax(-1)
    assert predicted.tolist() == [0, 1, 2, 3]


def test_state_after_some_frames_decides_what_comes_next():
    model = CNNLSTM(4).eval()
    frame = torch.rand(1, 3, 16, 16)
    _, state = model.step(torch.rand(1, 3, 16, 16))
    assert not torch.allclose(model.step(frame, state)[0], model.step(frame)[0], atol=1e-6)


def test_trains_under_bfloat16_autocast():
    model, frames, lengths = CNNLSTM(4), torch.rand(2, 3, 3, 16, 16), torch.tensor([3, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        log_probs = model.clip_log_probability(model(frames, lengths), lengths)
    log_probs[:, 0].sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 1, 16, 16), r"Expected `frames` to be \(B, T, 3, H, W\), but got \(2, 3, 1, 16, 16\)\."),
        ((2, 3, 3, 7, 16), r"at least one frame of at least 8 x 8 pixels, but got \(2, 3, 3, 7, 16\)\."),
        ((2, 0, 3, 16, 16), r"at least one frame of at least 8 x 8 pixels, but got \(2, 0, 3, 16, 16\)\."),
    ],
)
def test_frames_that_cannot_be_read_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        CNNLSTM(4)(torch.rand(shape), torch.full((2,), 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": ()}, "Expected `channels` to be at least 1, but got 0."),
        ({"channels": (8, 0)}, "Expected `channels` to be at least 1, but got 0."),
        ({"grid": (4, 0)}, "Expected `grid` to be at least 1, but got 0."),
        ({"fc_size": 0}, "Expected `fc_size` to be at least 1, but got 0."),
        ({"average": "median"}, "Expected `average` to be 'mean' or 'learned', but got 'median'."),
    ],
)
def test_arguments_that_make_no_network_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CNNLSTM(4, **arguments)
