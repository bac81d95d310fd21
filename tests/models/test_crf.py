"""The conditional random field: likelihood, learning, configuration and checkpoints."""

from itertools import pairwise, product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tt_actions
from tt_actions.main import main
from tt_actions.models import CNN, CNNLSTM, CRF, CNNLSTMPlus, HistogramKernel, R3DTransformer
from tt_actions.models.base import ActionModel
from tt_actions.models.chain import viterbi

LENGTHS = torch.tensor([4, 2])


class Pointwise(ActionModel):
    """A linear layer on two numbers per frame."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.head = nn.Linear(2, num_classes)

    def forward(self, inputs, lengths):  # noqa: ARG002
        return self.head(inputs)


def build():
    torch.manual_seed(0)
    model = CRF(3, Pointwise)
    nn.init.normal_(model.initial)
    nn.init.normal_(model.transitions)
    return model


def refuse(_):
    raise AssertionError("the class loss is not asked for")


def likelihood(model, inputs, length, allowed):
    """The negative log-likelihood of one clip, with a set of allowed classes for each frame."""
    scores = model.emissions(inputs[None, :length], torch.tensor([length]))[0]
    every, agreeing = [], []
    for path in product(range(3), repeat=length):
        moves = sum(model.transitions[a, b] for a, b in pairwise(path))
        every.append(model.initial[path[0]] + moves + sum(scores[t, s] for t, s in enumerate(path)))
        if all(label in (-100, s) for label, s in zip(allowed, path, strict=False)):
            agreeing.append(every[-1])
    return torch.stack(every).logsumexp(0) - torch.stack(agreeing).logsumexp(0)


@pytest.mark.parametrize("labels", [[0, 2, 2, 1], [0, -100, -100, 1], [-100, -100, 2, -100]])
def test_the_objective_is_the_likelihood_written_out(labels):
    model, inputs = build(), torch.randn(2, 4, 2)
    labels = torch.tensor([labels, [1, 1, -100, -100]])
    loss, logits = model.objective(inputs, LENGTHS, refuse, labels)
    written = [
        likelihood(model, clip, n, row.tolist()) for clip, n, row in zip(inputs, [4, 2], labels, strict=True)
    ]
    torch.testing.assert_close(loss, sum(written) / (labels >= 0).sum())
    torch.testing.assert_close(logits, model(inputs, LENGTHS))
    loss.backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("labels", [None, torch.full((2, 4), -100)])
def test_without_frame_labels_it_learns_by_the_class_loss(labels):
    model, inputs = build(), torch.randn(2, 4, 2)
    loss, logits = model.objective(inputs, LENGTHS, lambda logits: logits[:, 0, 1].sum(), labels)
    torch.testing.assert_close(loss, model(inputs, LENGTHS)[:, 0, 1].sum())
    assert logits.requires_grad


def test_it_changes_nothing_before_it_has_learned():
    model, inputs = CRF(3, Pointwise), torch.randn(2, 4, 2)
    logits, below = model(inputs, LENGTHS), model.network(inputs, LENGTHS)
    for b, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(logits[b, :length], below[b, :length].log_softmax(-1))


def test_posteriors_are_probabilities_and_of_the_clip_their_mean():
    model, inputs = build(), torch.randn(2, 4, 2)
    logits = model(inputs, LENGTHS)
    torch.testing.assert_close(logits.logsumexp(-1), torch.zeros(2, 4), atol=1e-5, rtol=0)
    means = torch.stack([logits[0].exp().mean(0), logits[1, :2].exp().mean(0)])
    torch.testing.assert_close(model.clip_log_probability(logits, LENGTHS).exp(), means)


def draw_cycles(num, seed):
    """Sequences that cycle through three classes, two of which look the same."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.arange(24) // 4 + torch.randint(3, (num, 1), generator=generator)) % 3
    looks = torch.tensor([[1.0, 0.0], [-1.0, 0.5], [-1.0, -0.5]])[labels]
    return looks + 0.8 * torch.randn(looks.shape, generator=generator), labels


def fit(model, step):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        step(model).backward()
        optimizer.step()
    return model


def test_where_transitions_matter_it_beats_frames_alone():
    torch.manual_seed(0)
    (inputs, labels), (unseen, expected) = draw_cycles(40, 0), draw_cycles(40, 1)
    lengths = torch.full((40,), 24)
    alone = fit(
        Pointwise(3), lambda model: F.cross_entropy(model(inputs, lengths).flatten(0, 1), labels.flatten())
    )
    crf = fit(CRF(3, Pointwise), lambda model: model.objective(inputs, lengths, refuse, labels)[0])
    parts = (crf.emissions(unseen, lengths), lengths, crf.initial, crf.transitions)
    predicted = {
        "alone": alone(unseen, lengths).argmax(-1),
        "marginals": crf(unseen, lengths).argmax(-1),
        "path": viterbi(*parts)[0],
    }
    accuracy = {name: (p == expected).float().mean().item() for name, p in predicted.items()}
    assert accuracy["alone"] < 0.85
    assert min(accuracy["marginals"], accuracy["path"]) > accuracy["alone"] + 0.08, accuracy


def test_what_lies_below_is_asked_for_channels_and_feature_maps():
    model = CRF(4, lambda k: CNN(k, in_channels=2))
    assert model.in_channels == 2
    assert model.feature_maps().module is model.network.feature_maps().module
    assert not hasattr(CRF(4, Pointwise), "in_channels")
    assert CRF(4, Pointwise).feature_maps() is None


@pytest.mark.parametrize("below", [HistogramKernel, lambda k: CNNLSTMPlus(k, average="learned")])
def test_a_model_that_could_not_learn_below_it_is_refused(below):
    with pytest.raises(ValueError, match="trained by gradient descent and to have `average` 'mean', but"):
        CRF(4, below)


NETWORKS = {
    "CNN": (CNN, ["channels=[4,4,4]", "grid=[2,2]", "feature_size=8"]),
    "R3DTransformer": (R3DTransformer, []),
    "default": (CNNLSTM, []),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_configured_trained_and_loaded_like_any_other(name, strokes, cache_dir, tmp_path):
    kind, options = NETWORKS[name]
    below = "model.network.init_args.network"
    words = [] if name == "default" else [f"--{below}", name]
    words += [f"--{below}.init_args.{option}" for option in options]
    settings = {
        "experiment": "crf",
        "runs": tmp_path,
        "data.source": "UserClips",
        "data.source.path": strokes,
        "data.cache_dir": cache_dir,
        "data.preprocessing.fps": 10,
        "data.preprocessing.size": "[16,16]",
        "data.preprocessing.num_frames": 4,
        "model.network": "CRF",
        "model.optimizer": "torch.optim.Adam",
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 2,
        "trainer.accelerator": "cpu",
    }
    words = [f"--{key}={value}" for key, value in settings.items()] + words
    main(["fit", *words])
    run = tmp_path / "crf" / "version_0"
    model = tt_actions.load(run / "checkpoints" / "last.ckpt")
    assert type(model.network) is CRF
    assert type(model.network.network) is kind
    assert model.network.transitions.any()
    if name == "CNN":
        again = ["--config", str(run / "config.yaml"), "--runs", str(tmp_path / "again")]
        main(["test", *again, "--ckpt_path", str(run / "checkpoints" / "last.ckpt")])
        assert (tmp_path / "again" / "crf" / "version_0" / "report" / "predictions.csv").is_file()
