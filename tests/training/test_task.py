import csv
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.dataset import Batch
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.main import main
from tt_actions.models import CNNLSTM, HistogramKernel
from tt_actions.models.losses import class_distributions, weighted_cross_entropy
from tt_actions.recognition.loading import load
from tt_actions.sources.user_clips import ManifestSource
from tt_actions.training.augmentation import Augmentation
from tt_actions.training.task import StrokeTask

CLASSES = ["serve", "forehand", "smash"]
PREPROCESSING = asdict(Preprocessing(fps=10, size=(16, 16), num_frames=5))


def recognizer(network=None, **options):
    torch.manual_seed(0)
    network = network or CNNLSTM(3, channels=[4, 4, 4], feature_size=8, hidden_size=8)
    task = StrokeTask(network, CLASSES, PREPROCESSING, torch.optim.Adam, **options)
    return task.eval()


def batch(lengths=(5, 3), labels=(2, 0), frame_labels=None):
    """Random clips of five frames, the second padded after its third."""
    frames = torch.randint(256, (len(lengths), 5, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator())
    if frame_labels is None:
        frame_labels = [
            [y if t < n else -100 for t in range(5)] for y, n in zip(labels, lengths, strict=True)
        ]
    names = [f"clip {i}" for i in range(len(lengths))]
    return Batch(frames, torch.tensor(lengths), torch.tensor(labels), torch.tensor(frame_labels), names)


def softmax(logits):
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def reference_loss(logits, clips, frame_loss=0.0, smoothing=0.0, weights=(1.0, 1.0, 1.0)):
    """The losses as they are written down, clip by clip and frame by frame."""
    probabilities = softmax(logits)

    def cross_entropy(pairs):
        total = weight = 0.0
        for log_p, label in pairs:
            for c in range(3):
                share = weights[c] * ((1 - smoothing) * (c == label) + smoothing / 3)
                total, weight = total - share * log_p[c], weight + share
        return total / weight

    lengths, labels = clips.lengths.tolist(), clips.label.tolist()
    by_clip = [
        (np.log(probabilities[i, :n].mean(0)), y)
        for i, (n, y) in enumerate(zip(lengths, labels, strict=True))
    ]
    by_frame = [
        (np.log(probabilities[i, t]), int(clips.frame_labels[i, t]))
        for i in range(len(lengths))
        for t in range(5)
        if clips.frame_labels[i, t] >= 0
    ]
    return cross_entropy(by_clip) + (frame_loss * cross_entropy(by_frame) if frame_loss else 0)


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({}, {}),
        ({"frame_loss": 0.5}, {"frame_loss": 0.5}),
        ({"label_smoothing": 0.2}, {"smoothing": 0.2}),
        ({"class_weights": [1.0, 2.0, 5.0]}, {"weights": (1.0, 2.0, 5.0)}),
        (
            {"frame_loss": 2.0, "label_smoothing": 0.1, "class_weights": [3.0, 1.0, 0.5]},
            {"frame_loss": 2.0, "smoothing": 0.1, "weights": (3.0, 1.0, 0.5)},
        ),
    ],
)
def test_the_loss_is_that_of_the_formulas(options, reference):
    task = recognizer(**options)
    clips = batch((5, 3, 1), (2, 0, 1))
    logits = task(clips.inputs, clips.lengths).detach().double().numpy()
    expected = reference_loss(logits, clips, **reference)
    assert task.training_step(clips, 0).item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_one_clip_counted_by_hand():
    task = recognizer(frame_loss=1.0)
    probabilities = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
    log_clip = task.network.clip_log_probability(probabilities.log()[None], torch.tensor([2]))
    targets = class_distributions(torch.tensor([0]), 3)
    total, weight = weighted_cross_entropy(log_clip, targets, torch.ones(3))
    assert total / weight == pytest.approx(-math.log(0.375))
    targets = class_distributions(torch.tensor([[0, 2]]), 3)
    total, weight = weighted_cross_entropy(probabilities.log()[None], targets, torch.ones(3))
    assert total / weight == pytest.approx(math.log(2))


def test_padding_and_unlabelled_frames_do_not_count():
    task = recognizer(frame_loss=1.0)
    clips = batch()
    loss = task.training_step(clips, 0)
    noisy = clips.inputs.clone()
    noisy[1, 3:] = 255
    assert torch.allclose(task.training_step(clips._replace(inputs=noisy), 0), loss, atol=1e-6)
    partly = batch(frame_labels=[[2, -100, -100, -100, 2], [-100] * 5])
    logits = task(partly.inputs, partly.lengths).detach().double().numpy()
    assert task.training_step(partly, 0).item() == pytest.approx(
        reference_loss(logits, partly, 1.0), rel=1e-5
    )


def test_frames_without_any_label_leave_the_clips_loss_alone():
    clips = batch()
    unlabelled = batch(frame_labels=[[-100] * 5, [-100] * 5])
    with_frames, without = recognizer(frame_loss=1.0), recognizer()
    assert with_frames.training_step(unlabelled, 0).item() == without.training_step(clips, 0).item()
    none = clips._replace(frame_labels=None)
    assert with_frames.training_step(none, 0).item() == without.training_step(clips, 0).item()


def test_a_clip_counts_by_its_own_average_not_by_its_frames():
    task = recognizer()
    pair = batch((5, 1), (2, 0))
    alone = [
        task.training_step(
            Batch(pair.inputs[i : i + 1], pair.lengths[i : i + 1], pair.label[i : i + 1], None, ["clip"]), 0
        ).item()
        for i in range(2)
    ]
    assert task.training_step(pair, 0).item() == pytest.approx(sum(alone) / 2, rel=1e-5)


def test_bytes_and_shares_of_one_give_the_same_logits():
    task, clips = recognizer(), batch()
    logits = task(clips.inputs, clips.lengths)
    assert torch.equal(task(clips.inputs.float() / 255, clips.lengths), logits)
    assert clips.inputs.dtype == torch.uint8


def test_pixels_are_normalised_by_channel():
    class Pixels(CNNLSTM):
        def forward(self, inputs, lengths):  # noqa: ARG002 - the contract's
            return inputs[..., 0, 0]

    preprocessing = PREPROCESSING | {"mean": (0.0, 0.5, 1.0), "std": (1.0, 0.5, 0.25)}
    task = StrokeTask(Pixels(3), CLASSES, preprocessing, torch.optim.Adam)
    white = torch.full((1, 1, 3, 8, 8), 255, dtype=torch.uint8)
    assert task(white, torch.tensor([1]))[0, 0].tolist() == [1.0, 1.0, 0.0]


def test_augmentation_changes_the_training_alone():
    plain, augmented = recognizer(), recognizer(augmentation=Augmentation(brightness=0.5))
    clips = batch()
    torch.manual_seed(1)
    assert augmented.training_step(clips, 0).item() != pytest.approx(plain.training_step(clips, 0).item())
    assert torch.equal(augmented.test_step(clips, 0)["logits"], plain.test_step(clips, 0)["logits"])


def test_a_step_gives_what_predict_gives():
    task, clips = recognizer(), batch()
    tested, predicted = task.test_step(clips, 0), task.predict_step(clips, 0)
    assert all(torch.equal(tested[name], predicted[name]) for name in ("logits", "log_probs"))
    assert torch.allclose(tested["log_probs"].exp().sum(-1), torch.ones(2))


def test_a_loss_that_is_not_finite_names_stage_and_clips():
    task = recognizer()
    with torch.no_grad():
        task.network.cnn.layers[0].weight.fill_(math.nan)
    with pytest.raises(
        FloatingPointError, match=r"finite loss, but got nan in val on clip 0, clip 1\. Check"
    ):
        task.validation_step(batch(), 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"class_weights": [1.0, -2.0, 1.0]},
            r"`class_weights` .* negative .* got \[1.0, -2.0, 1.0\]",
        ),
        ({"class_weights": [1.0, float("nan"), 1.0]}, r"finite, .* but got \[1.0, nan, 1.0\]"),
        ({"class_weights": [0.0, 0.0, 0.0]}, r"not all 0, but got \[0.0, 0.0, 0.0\]"),
        (
            {"class_weights": [1.0, 2.0]},
            r"`class_weights` for serve, forehand, smash, .*but got \[1.0, 2.0\]",
        ),
        ({"frame_loss": -1.0}, "`frame_loss` >= 0"),
        ({"label_smoothing": 1.0}, "0 <= `label_smoothing` < 1"),
        ({"network": CNNLSTM(4)}, "`class_names` to name the network's 4 classes"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        recognizer(**options)


def test_logged_figures_are_those_of_the_report(trained):
    report = json.loads((trained / "report" / "metrics.json").read_text())
    with (trained / "metrics.csv").open(newline="") as file:
        logged = next(row for row in csv.DictReader(file) if row.get("test/loss"))
    for name in ("loss", "accuracy", "precision", "recall", "f1", "temporal_consistency", "frame_agreement"):
        assert float(logged[f"test/{name}"]) == pytest.approx(report[name], abs=1e-5), name
    for stroke, figures in report["per_class"].items():
        for name, key in (("class_accuracy", "accuracy"), ("temporal_consistency", "temporal_consistency")):
            assert float(logged[f"test/{name}/{stroke}"]) == pytest.approx(figures[key], abs=1e-5)


def test_predict_says_of_a_clip_what_the_test_said(trained, strokes):
    records = {record.name: record for record in read_manifest(strokes)}
    model = load(trained / "checkpoints" / "best.ckpt")
    with (trained / "report" / "predictions.csv").open(newline="") as file:
        tested = list(csv.DictReader(file))
    for row in tested:
        record = records[row["name"]]
        prediction = model.predict(record.path, roi=record.roi)
        assert prediction.label == row["predicted"]
        assert list(prediction.probabilities) == list(model.class_names)
        for name, probability in prediction.probabilities.items():
            assert probability == pytest.approx(float(row[f"p_{name}"]), abs=1e-5)


def test_predict_gives_every_frame_its_time_and_probabilities(trained, strokes):
    model = load(trained / "checkpoints" / "best.ckpt")
    record = read_manifest(strokes)[0]
    prediction = model.predict(record.path, roi=record.roi)
    assert prediction.frame_probabilities.shape == (4, 4)
    np.testing.assert_allclose(prediction.frame_probabilities.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(
        prediction.frame_probabilities.mean(0), list(prediction.probabilities.values()), atol=1e-6
    )
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert prediction.probabilities[prediction.label] == max(prediction.probabilities.values())
    assert prediction.times_s.shape == (4,)
    assert (np.diff(prediction.times_s) > 0).all()
    steps = prediction.times_s * 10
    np.testing.assert_allclose(steps, steps.round(), atol=1e-6)  # frames of 10 a second


def test_predict_reads_the_stretch_that_it_is_given(trained, strokes):
    model = load(trained / "checkpoints" / "best.ckpt")
    record = read_manifest(strokes)[0]
    video, roi = record.path, record.roi
    prediction = model.predict(video, start_s=0.5, end_s=1.2, roi=roi)
    assert prediction.times_s.min() >= 0.5
    assert prediction.times_s.max() < 1.2
    whole = model.predict(video, roi=roi).probabilities
    assert prediction.probabilities != whole
    assert model.predict(video, roi=(0, 0, 80, 60)).probabilities != whole


def test_augmentation_of_flow_is_refused():
    with pytest.raises(ValueError, match="Expected no `augmentation` for frames with 5 channels"):
        StrokeTask(
            CNNLSTM(3, in_channels=5),
            CLASSES,
            PREPROCESSING | {"flow": True},
            torch.optim.Adam,
            augmentation=Augmentation(),
        )


def test_flow_reaches_the_network_in_heights_a_second():
    task = StrokeTask(HistogramKernel(3), CLASSES, PREPROCESSING | {"flow": True})
    frames = torch.zeros(1, 1, 5, 1, 1, dtype=torch.uint8)
    frames[:, :, 3:] = torch.tensor([128, 255]).view(2, 1, 1)
    colours, flow = task.normalise(frames).flatten().split([3, 2])
    assert colours.tolist() == [-2, -2, -2]
    torch.testing.assert_close(flow, torch.tensor([0.0, 2.4]))


@pytest.mark.parametrize("option", [{"frame_loss": 0.5}, {"optimizer": torch.optim.Adam}, {"init_from": "x"}])
def test_what_a_model_without_gradient_would_leave_unused_is_refused(option):
    with pytest.raises(ValueError, match="which is fitted without gradients, but got"):
        StrokeTask(HistogramKernel(3), CLASSES, PREPROCESSING | {"flow": True}, **option)


def test_training_figures_of_a_model_without_gradient_are_of_clips_left_out(strokes, cache_dir, tmp_path):
    experiment = Path(__file__).parents[2] / "experiments" / "clips.yaml"
    options = ["--data.source.path", str(strokes), "--data.cache_dir", str(cache_dir)]
    options += ["--data.preprocessing.fps", "10", "--data.preprocessing.num_frames", "16"]
    main(
        ["train", "--config", str(experiment), *options, "--runs", str(tmp_path), "--wandb.mode", "disabled"]
    )
    run = tmp_path / "clips" / "version_0"
    with (run / "metrics.csv").open(newline="") as file:
        logged = {name: value for row in csv.DictReader(file) for name, value in row.items() if value}
    model = load(run / "checkpoints" / "best.ckpt")
    records = [r for r in read_manifest(strokes) if r.name not in names_for_test(run)]
    kernel = model.network
    assert len(kernel.described) == len(records)
    predicted = [model.predict(record.path).label for record in records]  # each is among the fitted ones
    seen = np.mean([label == record.label for label, record in zip(predicted, records, strict=True)])
    assert float(logged["train/accuracy"]) < seen
    assert math.isfinite(float(logged["train/loss"]))


def test_an_interrupted_fit_is_forgotten_by_the_next(strokes, cache_dir):
    preprocessing = Preprocessing(fps=10, size=(32, 32), num_frames=4, flow=True)
    data = ClipDataModule(ManifestSource(strokes), preprocessing, val_share=0.0, cache_dir=cache_dir)
    task = StrokeTask(HistogramKernel(4), data.class_names, asdict(preprocessing))
    task.network.collect(torch.rand(1, 4, 5, 32, 32), torch.tensor([4]), torch.tensor([0]))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet).fit(task, data)
    assert len(task.network.described) == sum(record.split == "train" for record in data.records)


def names_for_test(run):
    with (run / "splits.csv").open(newline="") as file:
        return {row["name"] for row in csv.DictReader(file) if row["split"] == "test"}
