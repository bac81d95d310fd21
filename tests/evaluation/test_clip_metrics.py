import itertools

import numpy as np
import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F
from torch import distributed, multiprocessing

from tt_actions.evaluation.clip_metrics import (
    FrameAgreement,
    TemporalConsistency,
    build_metrics,
    frame_agreement,
    temporal_consistency,
)

NUM_CLASSES = 5  # no clip of the last one is ever drawn


def draw(num_clips, seed=0):
    """A batch for the collection, with runs of equal classes, so that neighbours often agree."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, NUM_CLASSES, (num_clips, 4)).repeat(3, axis=1)
    logits = F.one_hot(torch.from_numpy(classes), NUM_CLASSES) + 0.1 * torch.from_numpy(
        random.random((*classes.shape, NUM_CLASSES))
    )
    lengths = random.integers(1, 13, num_clips)
    target, preds = (random.integers(0, NUM_CLASSES - 1, num_clips) for _ in range(2))
    return {
        "preds": torch.from_numpy(preds),
        "target": torch.from_numpy(target),
        "logits": logits.float(),
        "lengths": torch.from_numpy(lengths),
    }


def take(batch, clips):
    return {name: values[clips] for name, values in batch.items()}


def count_by_hand(batch):
    """Consistency and agreement by class, computed with plain loops."""
    consistency, agreement = ([[] for _ in range(NUM_CLASSES)] for _ in range(2))
    for k in range(len(batch["target"])):
        length = int(batch["lengths"][k])
        frames = batch["logits"][k, :length].argmax(-1).tolist()
        true = int(batch["target"][k])
        agreement[true].append(sum(frame == int(batch["preds"][k]) for frame in frames) / length)
        if length > 1:
            pairs = [before == after for before, after in itertools.pairwise(frames)]
            consistency[true].append(sum(pairs) / len(pairs))
    return [
        [np.mean(shares) if shares else np.nan for shares in figure] for figure in (consistency, agreement)
    ]


def test_one_case_counted_by_hand():
    classes = torch.tensor([[0, 0, 1, 1, 1, 2], [2, 2, 2, 0, 1, 0], [1, 0, 0, 0, 0, 0]])
    logits, lengths = F.one_hot(classes, 3), torch.tensor([6, 3, 1])
    expected = torch.tensor([3 / 5, 1.0, float("nan")])
    torch.testing.assert_close(temporal_consistency(logits.argmax(-1), lengths), expected, equal_nan=True)
    agreement = frame_agreement(logits.argmax(-1), lengths, torch.tensor([1, 0, 1]))
    torch.testing.assert_close(agreement, torch.tensor([0.5, 0.0, 1.0]))


def test_a_clip_of_one_frame_has_no_pair_and_does_not_count():
    metric = TemporalConsistency(2)
    logits = F.one_hot(torch.tensor([[0, 1], [0, 0], [0, 0]]), 2)
    metric.update(logits, torch.tensor([2, 1, 1]), torch.tensor([0, 0, 1]))
    torch.testing.assert_close(metric.compute(), torch.tensor([0.0, float("nan")]), equal_nan=True)


def test_batches_of_one_frame_leave_consistency_empty():
    metric = TemporalConsistency(2)
    metric.update(torch.randn(2, 1, 2), torch.tensor([1, 1]), torch.tensor([0, 1]))
    assert metric.compute().isnan().all()


def test_by_class_equals_plain_loops_over_uneven_batches():
    batch = draw(50)
    consistency, agreement = TemporalConsistency(NUM_CLASSES), FrameAgreement(NUM_CLASSES)
    for clips in torch.arange(50).split([7, 1, 42]):
        part = take(batch, clips)
        consistency.update(part["logits"], part["lengths"], part["target"])
        agreement.update(**part)
    for metric, expected in zip((consistency, agreement), count_by_hand(batch), strict=True):
        np.testing.assert_allclose(metric.compute(), expected, atol=1e-6)
        assert metric.compute()[-1].isnan()


def test_reset_discards_the_batches():
    metric, batch = FrameAgreement(NUM_CLASSES), draw(4)
    metric.update(**batch)
    metric.reset()
    metric.update(**take(batch, slice(0, 1)))
    assert metric.compute().isfinite().sum() == 1


def test_collection_equals_scikit_learn():
    batch = draw(200)
    metrics = build_metrics(NUM_CLASSES)
    metrics.update(**batch)
    result = metrics.compute()
    target, preds = batch["target"].numpy(), batch["preds"].numpy()
    confusion = sklearn.metrics.confusion_matrix(target, preds, labels=range(NUM_CLASSES))
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(target, preds, average="macro")
    np.testing.assert_allclose(
        result["class_accuracy"][:4], (confusion.diagonal() / confusion.sum(1).clip(1))[:4]
    )
    assert result["accuracy"].item() == pytest.approx(sklearn.metrics.accuracy_score(target, preds))
    for name, value in {"precision": precision, "recall": recall, "f1": f1}.items():
        assert result[name].item() == pytest.approx(value)


def test_collection_keeps_consistency_and_agreement_apart_though_the_first_batch_gives_both_alike():
    first, second = draw(2), draw(30, seed=1)
    first["logits"] = F.one_hot(first["preds"][:, None].expand(2, 12), NUM_CLASSES).float()
    first["lengths"][:] = 12
    metrics = build_metrics(NUM_CLASSES)
    metrics.update(**first)
    for name in ("temporal_consistency", "frame_agreement"):
        assert metrics[name].compute().nanmean() == 1
    metrics.update(**second)
    both = {name: torch.cat([first[name], second[name]]) for name in first}
    for name, expected in zip(("temporal_consistency", "frame_agreement"), count_by_hand(both), strict=True):
        np.testing.assert_allclose(metrics.compute()[name], expected, atol=1e-6)


def compute_in_process(rank, folder):
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    batch, metrics = draw(23), build_metrics(NUM_CLASSES)
    mine = torch.arange(23)[:17] if rank == 0 else torch.arange(23)[17:]
    for clips in mine.split(5):
        metrics.update(**take(batch, clips))
    torch.save(metrics.compute(), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_with_uneven_batches_equal_one(tmp_path):
    multiprocessing.spawn(compute_in_process, (str(tmp_path),), nprocs=2)
    metrics = build_metrics(NUM_CLASSES)
    metrics.update(**draw(23))
    for rank in range(2):
        result = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, expected in metrics.compute().items():
            torch.testing.assert_close(result[name], expected, equal_nan=True)
