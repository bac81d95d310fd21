import shutil
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.samplers import EpochSampler
from tt_actions.errors import UnreadableError
from tt_actions.sources import UserJoints
from tt_actions.sources.user_clips import ManifestSource
from tt_actions.video.decoder import VideoWarning
from tt_actions.video.info import probe

SMALL = Preprocessing(fps=10, size=(16, 16), num_frames=4)
LABELS = [0] * 12 + [1] * 4 + [2] * 2


def data(manifest, cache_dir, **options):
    return ClipDataModule(ManifestSource(manifest), SMALL, batch_size=5, cache_dir=cache_dir, **options)


def splits(module):
    return {record.name: record.split for record in module.records}


def groups(module, split):
    return {record.group for record in module.records if record.split == split}


def test_classes_and_counts_come_from_the_data(strokes, cache_dir):
    module = data(strokes, cache_dir, num_workers=0)
    assert module.class_names == ["serve", "forehand", "backhand", "smash"]
    assert module.num_classes == 4


def test_every_clip_has_one_split_and_no_group_has_two(strokes, cache_dir):
    module = data(strokes, cache_dir)
    assert set(splits(module)) == {record.name for record in read_manifest(strokes)}
    parts = [groups(module, split) for split in ("train", "val", "test")]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 6


def test_the_split_follows_its_own_seed(strokes, cache_dir, monkeypatch):
    first = splits(data(strokes, cache_dir, split_seed=1))
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    torch.manual_seed(7)
    assert splits(data(strokes, cache_dir, split_seed=1)) == first
    assert any(splits(data(strokes, cache_dir, split_seed=seed)) != first for seed in range(2, 6))


def test_folds_test_every_group_once(strokes, cache_dir):
    folds = [groups(data(strokes, cache_dir, num_folds=3, fold=i), "test") for i in range(3)]
    assert sum(map(len, folds)) == len(set.union(*folds)) == 6


def test_a_manifests_splits_are_kept(strokes, cache_dir, tmp_path):
    wanted = dict(zip([f"player_0{i}" for i in range(6)], ["test", "val", *["train"] * 4], strict=True))
    records = [
        ClipRecord(r.path, r.label, group=r.group, split=wanted[r.group]) for r in read_manifest(strokes)
    ]
    write_manifest(tmp_path / "m.csv", records)
    module = data(tmp_path / "m.csv", cache_dir)
    assert all(record.split == wanted[record.group] for record in module.records)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_folds": 3}, "both `num_folds` and `fold`"),
        ({"num_folds": 9, "fold": 0}, r"2 <= `num_folds` <= 6 \(the number of groups\)"),
        ({"val_share": 0.6, "test_share": 0.6}, "leave clips for training"),
    ],
)
def test_impossible_splits_are_refused(strokes, cache_dir, options, message):
    with pytest.raises(ValueError, match=message):
        data(strokes, cache_dir, **options).records  # noqa: B018 - made when it is asked for


def test_copies_of_one_video_under_two_names_are_refused_in_two_splits(strokes, cache_dir, tmp_path):
    module = data(strokes, cache_dir)
    tested = next(record for record in module.records if record.split == "test")
    copy = tmp_path / "copy.mp4"
    shutil.copy(tested.path, copy)
    records = [*module.records, ClipRecord(copy, tested.label, group="somebody else", split="train")]
    manifest = tmp_path / "manifest.csv"
    write_manifest(manifest, records)
    with pytest.raises(
        ValueError, match=rf"copies with other names in another: .*{tested.path.name} = .*copy\.mp4"
    ):
        _ = data(manifest, cache_dir).records


def test_a_batch_size_below_one_is_refused(strokes):
    with pytest.raises(ValueError, match="`batch_size` to be at least 1, but got 0"):
        ClipDataModule(ManifestSource(strokes), SMALL, batch_size=0)


def batches(module):
    loaders = (module.train_dataloader(), module.val_dataloader(), module.test_dataloader())
    return [list(loader) for loader in loaders]


def test_loader_processes_give_the_same_batches(strokes, cache_dir):
    """The training's batches: they are drawn at random, and the others come from the same loader."""
    alone, shared = (data(strokes, cache_dir, num_workers=num).train_dataloader() for num in (0, 2))
    for batch, other in zip(alone, shared, strict=True):
        assert batch.names == other.names
        for mine, theirs in zip(batch[:4], other[:4], strict=True):
            assert torch.equal(mine, theirs)


def test_a_batch_is_what_its_records_say(strokes, cache_dir):
    module = data(strokes, cache_dir, num_workers=0)
    labels = {record.name: record.label for record in module.records}
    train, val, test = batches(module)
    seen = [name for part in (train, val, test) for batch in part for name in batch.names]
    assert sorted(seen) == sorted(labels)
    for batch in [*train, *val, *test]:
        assert batch.inputs.shape[1:] == (4, 3, 16, 16)
        assert batch.inputs.dtype == torch.uint8
        assert [module.class_names[i] for i in batch.label] == [labels[name] for name in batch.names]


@pytest.mark.parametrize(
    "options",
    [{}, {"crop": "motion"}, {"aspect": "stretch"}, {"roi": (20, 10, 100, 90)}, {"fps": 15}],
    ids=lambda options: "".join(options) or "plain",
)
def test_a_trained_network_reads_the_frames_of_its_evaluation(strokes, cache_dir, tmp_path, options):
    preprocessing = replace(SMALL, **options)
    if "roi" in options:  # the manifest's own regions override it
        records = [replace(record, roi=None) for record in read_manifest(strokes)]
        strokes = tmp_path / "whole.csv"
        write_manifest(strokes, records)
    data = ClipDataModule(ManifestSource(strokes), preprocessing, cache_dir=cache_dir, num_workers=0)
    batch = next(iter(data.test_dataloader()))
    record = next(record for record in data.records if record.name == batch.names[0])
    frames, _ = preprocessing.read_clip(record.path, roi=record.roi)
    np.testing.assert_array_equal(batch.inputs[0].permute(0, 2, 3, 1), frames)


def test_loading_does_not_use_random_numbers_of_the_training(strokes, cache_dir):
    module = data(strokes, cache_dir, num_workers=0)
    state = torch.get_rng_state()
    batches(module)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.fixture
def broken(strokes, tmp_path):
    """A manifest of the synthetic clips and one file that is not a video."""
    (tmp_path / "broken.mp4").write_text("no video")
    records = [*read_manifest(strokes), ClipRecord(tmp_path / "broken.mp4", "serve", group="player_00")]
    write_manifest(tmp_path / "m.csv", records)
    return tmp_path / "m.csv"


def test_an_unreadable_file_raises_an_error_with_its_name(broken, cache_dir):
    with pytest.raises(UnreadableError, match=r"(?s)1 of 25 clips.*broken\.mp4.*skip_unreadable: true"):
        data(broken, cache_dir).records  # noqa: B018


def test_an_unreadable_file_is_skipped_on_request(broken, cache_dir):
    module = data(broken, cache_dir, skip_unreadable=True)
    with pytest.warns(VideoWarning, match=r"(?s)Skipping clips.*broken\.mp4"):
        assert len(module.records) == 24


def test_a_class_is_not_lost_with_its_unreadable_files(broken, cache_dir):
    records = read_manifest(broken)
    write_manifest(broken, [*records[:-1], replace(records[-1], label="lob")])
    with (
        pytest.warns(VideoWarning),
        pytest.raises(ValueError, match="Expected at least one readable clip of lob"),
    ):
        data(broken, cache_dir, skip_unreadable=True).records  # noqa: B018
    classes = sorted({record.label for record in records} | {"lob"})
    trained = data(
        broken, cache_dir, skip_unreadable=True, classes=classes
    )  # as when a checkpoint is evaluated
    with pytest.warns(VideoWarning):
        assert len(trained.records) == 24


def test_classes_are_known_before_a_clip_is_decoded(strokes, tmp_path):
    module = data(strokes, tmp_path)
    assert module.num_classes == 4
    assert not list(tmp_path.iterdir())


def test_clips_are_decoded_once(strokes, tmp_path):
    videos = tmp_path / "videos"
    shutil.copytree(strokes.parent, videos, ignore=shutil.ignore_patterns("*.npz"))
    cache = tmp_path / "cache"
    batches(data(videos / "manifest.csv", cache, num_workers=0))
    frames = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")}
    assert len(frames) == 24
    batches(data(videos / "manifest.csv", cache, num_workers=0))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")} == frames


def drawn(balanced=False, epoch=0):
    return list(EpochSampler(LABELS, balanced, epoch))


def test_the_order_is_a_function_of_seed_and_epoch_alone(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    first = drawn(epoch=2)
    torch.manual_seed(11)
    sampler = EpochSampler(LABELS, balanced=False)
    list(sampler)
    sampler.set_epoch(2)
    assert list(sampler) == first
    assert drawn(epoch=1) != first
    monkeypatch.setenv("PL_GLOBAL_SEED", "4")
    assert drawn(epoch=2) != first


def test_an_epoch_contains_every_clip_once_with_its_own_seed():
    order, seeds = zip(*drawn(), strict=True)
    assert sorted(order) == list(range(len(LABELS)))
    assert len(set(seeds)) == len(LABELS)
    assert set(seeds).isdisjoint({seed for _, seed in drawn(epoch=1)})


def test_balanced_sampling_draws_every_class_equally_often():
    counts = Counter(LABELS[i] for epoch in range(300) for i, _ in drawn(balanced=True, epoch=epoch))
    assert sum(counts.values()) == 300 * len(LABELS)
    for label in range(3):
        assert counts[label] / sum(counts.values()) == pytest.approx(1 / 3, abs=0.02)  # 3 standard errors


def test_a_video_with_many_regions_is_opened_once(posed_clips, tmp_path):
    videos = sorted(posed_clips.rglob("*.mp4"))[:2]
    module = ClipDataModule(UserJoints(posed_clips), JointPreprocessing("ntu25"), cache_dir=tmp_path)
    module.records = [
        ClipRecord(video, "serve", 0.001 * number, roi=(0, 0, 80, 120), split="train")
        for number in range(1000)
        for video in videos
    ]
    start_s = time.monotonic()
    for video in videos:
        probe(video)
    once_s = time.monotonic() - start_s
    assert module.has_regions()
    assert time.monotonic() - start_s < 100 * once_s


@pytest.mark.parametrize(("share", "expected"), [(0.4, True), (0.6, False), (None, False)])
def test_for_joints_a_region_is_a_small_part_of_the_picture(posed_clips, tmp_path, share, expected):
    roi = None if share is None else (0, 0, round(320 * share), 240)
    videos = zip(sorted(posed_clips.rglob("*.mp4"))[1:4], ("test", "train", "train"), strict=True)
    records = [  # finding the joints of more would take seconds
        ClipRecord(video, video.parent.name, end_s=0.5, roi=roi, split=split) for video, split in videos
    ]
    write_manifest(tmp_path / "clips.csv", records)
    source = UserJoints(tmp_path / "clips.csv")
    module = ClipDataModule(source, JointPreprocessing("ntu25"), cache_dir=tmp_path, val_share=0.0)
    assert module.has_regions() is expected
