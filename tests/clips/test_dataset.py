from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.dataset import ClipDataset, Sample, collate
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.sampling import sample_indices
from tt_actions.clips.specs import FrameSpec
from tt_actions.video.encoder import write_video

SPEC = FrameSpec(fps=10, size=(16, 24))
CLASSES = ["serve", "smash"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of 12, 7 and 3 frames of increasing brightness, and the cache of their frames."""
    folder = tmp_path_factory.mktemp("clips")
    records = []
    for num_frames, label in [(12, "smash"), (7, "serve"), (3, None)]:
        path = folder / f"{num_frames}.mp4"
        write_video(path, [np.full((16, 24, 3), 20 * i, np.uint8) for i in range(num_frames)], fps=10)
        records.append(ClipRecord(path, label))
    return records, FrameCache(folder / "cache")


def dataset(clips, sampling="uniform", num_frames=5, training=False):
    records, cache = clips
    return ClipDataset(records, CLASSES, cache, SPEC, num_frames, sampling, training)


@given(
    available=st.integers(1, 300),
    wanted=st.integers(1, 100),
    sampling=st.sampled_from(["uniform", "dense", "all"]),
    training=st.booleans(),
)
def test_chosen_frames_exist_and_are_in_order(available, wanted, sampling, training):
    chosen = sample_indices(available, wanted, sampling, training)
    assert len(chosen) == (wanted if sampling == "uniform" else min(available, wanted))
    assert chosen.dtype == np.int64
    assert chosen.min() >= 0
    assert chosen.max() < available
    assert (np.diff(chosen) >= 0).all()
    if sampling != "uniform":
        assert (np.diff(chosen) > 0).all()


def test_uniform_frames_stay_in_their_segments_and_reach_all_of_them():
    rng = torch.Generator().manual_seed(0)
    drawn = np.array([sample_indices(20, 4, "uniform", True, rng) for _ in range(400)])
    for segment in range(4):
        assert set(drawn[:, segment]) == set(range(5 * segment, 5 * segment + 5))
    assert sample_indices(20, 4, "uniform", False).tolist() == [2, 7, 12, 17]
    assert sample_indices(2, 4, "uniform", False).tolist() == [0, 0, 1, 1]


def test_dense_windows_are_neighbours_from_every_start_and_centred_in_test():
    rng = torch.Generator().manual_seed(0)
    drawn = [sample_indices(8, 5, "dense", True, rng) for _ in range(400)]
    assert all((np.diff(chosen) == 1).all() for chosen in drawn)
    starts = Counter(int(chosen[0]) for chosen in drawn)
    assert set(starts) == {0, 1, 2, 3}
    assert min(starts.values()) > 60
    assert sample_indices(9, 5, "dense", False).tolist() == [2, 3, 4, 5, 6]


def test_all_frames_are_taken_up_to_the_maximum_then_spread():
    assert sample_indices(6, 6, "all", True).tolist() == list(range(6))
    assert sample_indices(6, 3, "all", True).tolist() == [1, 3, 5]


@pytest.mark.parametrize("arguments", [(0, 1, "all"), (1, 0, "dense"), (5, 5, "sparse")])
def test_invalid_sampling_is_refused(arguments):
    with pytest.raises(ValueError, match="Expected `num_available`"):
        sample_indices(*arguments, training=False)


def test_a_sample_contains_the_clips_frames_and_labels(clips):
    (records, cache), data = clips, dataset(clips, "all", 20)
    assert len(data) == 3
    sample = data[0]
    assert sample.frames.shape == (12, 3, 16, 24)
    assert sample.frames.dtype == torch.uint8
    np.testing.assert_array_equal(sample.frames.permute(0, 2, 3, 1), cache.frames(records[0], SPEC))
    assert (sample.length, sample.label, sample.name) == (12, 1, records[0].name)
    assert sample.frame_labels.tolist() == [1] * 12
    assert (data[2].label, data[2].frame_labels.tolist()) == (-1, [-100] * 3)


def test_changing_a_sample_does_not_change_the_cache(clips):
    data = dataset(clips, "all", 20)
    before = data[0].frames.clone()
    data[0].frames.zero_()
    assert torch.equal(data[0].frames, before)


def test_a_batch_is_padded_with_black_frames_and_no_labels(clips):
    data = dataset(clips, "all", 20)
    samples = [data[i] for i in range(3)]
    batch = collate(samples)
    assert batch.inputs.shape == (3, 12, 3, 16, 24)
    assert batch.inputs.dtype == torch.uint8
    assert batch.lengths.tolist() == [12, 7, 3]
    assert batch.label.tolist() == [1, 0, -1]
    assert batch.names == [sample.name for sample in samples]
    for i, sample in enumerate(samples):
        assert torch.equal(batch.inputs[i, : sample.length], sample.frames)
        assert not batch.inputs[i, sample.length :].any()
        assert torch.equal(batch.frame_labels[i, : sample.length], sample.frame_labels)
        assert (batch.frame_labels[i, sample.length :] == -100).all()


def test_frames_of_a_batch_are_channels_last_without_a_copy(clips):
    data = dataset(clips)
    frames = collate([data[0], data[1]]).inputs.flatten(0, 1)
    assert frames.is_contiguous(memory_format=torch.channels_last)


def brightness(data, num_workers, seeds):
    """Return the mean brightness of every frame of clip 0 for each seed, read through a loader."""
    loader = DataLoader(
        data,
        batch_size=2,
        sampler=[(0, seed) for seed in seeds],
        collate_fn=collate,
        num_workers=num_workers,
        multiprocessing_context="spawn" if num_workers else None,
    )
    return torch.cat([batch.inputs.float().mean((2, 3, 4)) for batch in loader])


def test_only_the_items_seed_determines_the_random_choice(clips):
    data = dataset(clips, "uniform", 4, training=True)
    first = brightness(data, 0, range(20))
    assert len(first.unique(dim=0)) > 10
    torch.manual_seed(1)
    assert torch.equal(brightness(data, 0, reversed(range(20))), first.flip(0))
    assert torch.equal(brightness(data, 1, range(20)), first)


def test_nothing_is_random_outside_training(clips):
    data = dataset(clips, "uniform", 4, training=False)
    assert len(brightness(data, 0, range(20)).unique(dim=0)) == 1
    assert torch.equal(data[0].frames, data[0, 5].frames)


def test_an_unknown_label_is_refused(clips):
    records, cache = clips
    with pytest.raises(ValueError, match=r"label to be one of \['serve', 'lob'\], but got \['smash'\]"):
        ClipDataset(records, ["serve", "lob"], cache, SPEC, 5, "all", False)


def test_collating_keeps_the_samples_type_contract():
    sample = Sample(torch.ones(1, 3, 2, 2, dtype=torch.uint8), 1, 0, torch.zeros(1, dtype=torch.int64), "a")
    batch = collate([sample])
    assert (batch.lengths.dtype, batch.label.dtype, batch.frame_labels.dtype) == (torch.int64,) * 3
    assert isinstance(Path(batch.names[0]), Path)
