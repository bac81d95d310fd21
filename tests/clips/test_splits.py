import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.splits import (
    check_same_splits,
    check_splits,
    distribute_groups,
    split_clips,
    write_splits,
)
from tt_actions.clips.unseen import check_unseen


def clips(num_groups=10, per_group=8, classes="abcd", **fields):
    return [
        ClipRecord(Path(f"g{g}_{i}.mp4"), label=classes[i % len(classes)], group=f"g{g}", **fields)
        for g in range(num_groups)
        for i in range(per_group)
    ]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=30),
    num_folds=st.integers(2, 3),
    seed=st.integers(0, 5),
)
def test_every_clip_is_in_one_part_and_no_group_in_two(sizes, num_folds, seed):
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    labels = ["ab"[i % 2] for i in range(len(groups))]
    part = distribute_groups(labels, groups, [1 / num_folds] * num_folds, seed)
    assert len(part) == len(groups)
    assert all(
        len({p for p, g in zip(part, groups, strict=True) if g == group}) == 1 for group in set(groups)
    )


def test_shares_and_class_balance_are_met():
    done = split_clips(clips(num_groups=40), 0.15, 0.2, seed=0)
    counts = Counter((r.split, r.label) for r in done)
    for label in "abcd":
        assert counts["train", label] == 52
        assert counts["val", label] == 12
        assert counts["test", label] == 16


def test_only_the_seed_determines_the_parts():
    assert split_clips(clips(), 0.2, 0.2, 1) == split_clips(clips(), 0.2, 0.2, 1)
    assert split_clips(clips(), 0.2, 0.2, 1) != split_clips(clips(), 0.2, 0.2, 2)


def test_every_clip_is_tested_in_exactly_one_fold():
    tested = Counter()
    for fold in range(4):
        done = split_clips(clips(), 0.15, 0.2, 0, num_folds=4, fold=fold)
        tested.update(r.path for r in done if r.split == "test")
    assert set(tested.values()) == {1}
    assert len(tested) == 80


def test_prescribed_splits_are_kept_and_their_group_follows():
    records = clips(3, 4, split="train") + clips(10, 8)[24:]
    records[-1] = ClipRecord(Path("g9_7.mp4"), label="d", group="g9", split="test")
    done = split_clips(records, 0.2, 0.2, 0)
    assert all(r.split == "train" for r in done[:12])
    assert {r.split for r in done if r.group == "g9"} == {"test"}


@pytest.mark.parametrize("given", [{"test"}, {"val"}, {"val", "test"}, {"train"}])
def test_no_other_clips_join_a_prescribed_val_or_test(given):
    splits = dict(zip(["g0", "g1"], sorted(given), strict=False))
    done = split_clips([replace(r, split=splits.get(r.group)) for r in clips()], 0.2, 0.2, 0)
    for split in ("val", "test"):
        groups = {r.group for r in done if r.split == split}
        assert len(groups) == (1 if split in given else 2)
        assert split not in given or groups <= set(splits)
    assert {r.split for r in done} == {"train", "val", "test"}


def test_val_is_taken_from_train_if_the_manifest_has_none():
    records = [
        ClipRecord(r.path, r.label, group=r.group, split="test" if r.group == "g0" else "train")
        for r in clips()
    ]
    done = split_clips(records, 0.2, 0.2, 0)
    assert {r.group for r in done if r.split == "test"} == {"g0"}
    assert {r.split for r in done} == {"train", "val", "test"}


@pytest.mark.parametrize("options", [{}, {"num_folds": 5, "fold": 1}])
def test_no_clip_is_for_validation_if_its_share_is_zero(options):
    done = split_clips(clips(), 0, 0.2, 0, **options)
    groups = {split: {r.group for r in done if r.split == split} for split in ("train", "val", "test")}
    assert [len(groups[split]) for split in ("train", "val", "test")] == [8, 0, 2]
    given = split_clips([replace(r, split="val" if r.group == "g0" else None) for r in clips()], 0, 0.2, 0)
    assert {r.group for r in given if r.split == "val"} == {"g0"}


def test_clips_of_one_file_without_a_group_stay_together():
    records = [
        ClipRecord(Path(f"m{i % 8}.mp4"), "ab"[i // 8 % 2], start_s=float(i), end_s=i + 1.0)
        for i in range(64)
    ]
    check_splits(split_clips(records, 0.2, 0.2, 0))


def strokes_of_one_match(labels, length_s=1.0):
    return [
        ClipRecord(Path("m.mp4"), label, start_s=float(i), end_s=i + length_s)
        for i, label in enumerate(labels)
    ]


@pytest.mark.parametrize("num", [5, 48, 200])
def test_strokes_of_a_single_match_are_split_by_stretches_of_time(num):
    labels = ["ab"[i % 2] for i in range(num)]
    labels[3] = "rare"
    with pytest.warns(UserWarning, match=rf"All {num} clips are from 'm\.mp4'.* Expect less on other"):
        done = split_clips(strokes_of_one_match(labels), 0.0, 0.2, 0)
    counts = Counter(record.split for record in done)
    assert counts["test"] == pytest.approx(0.2 * num, abs=max(1.5, num / 20))
    assert counts["train"] == num - counts["test"]
    assert done[3].split == "train"
    groups = {record.group: record.split for record in done}
    assert all(groups[record.group] == record.split for record in done)
    assert len(groups) <= 20


def test_strokes_that_overlap_are_on_one_side():
    with pytest.warns(UserWarning, match="from 'm"):
        done = split_clips(strokes_of_one_match("abab" * 10, length_s=1.5)[:-1:4], 0.0, 0.3, 0)
    assert {record.split for record in done} == {"train", "test"}
    with pytest.raises(ValueError, match="none is left for test"):  # each overlaps the next one
        split_clips(strokes_of_one_match("ab" * 10, length_s=1.5), 0.0, 0.3, 0)


def test_a_single_match_is_cross_validated_by_stretches():
    records = strokes_of_one_match("abc" * 10)
    tested = []
    for fold in range(3):
        with pytest.warns(UserWarning, match="from 'm"):
            done = split_clips(records, 0.0, 0.2, 0, num_folds=3, fold=fold)
        tested += [record.start_s for record in done if record.split == "test"]
    assert sorted(tested) == [record.start_s for record in records]


def test_a_stretch_is_unseen_if_the_run_was_trained_on_others_of_its_video(tmp_path):
    with pytest.warns(UserWarning, match="from 'm"):
        done = split_clips(strokes_of_one_match("ab" * 10), 0.0, 0.2, 0)
    write_splits(tmp_path / "splits.csv", done, str)
    check_unseen(tmp_path, [record for record in done if record.split == "test"], str)
    first = next(record for record in done if record.split == "train")
    later = replace(first, start_s=first.start_s + 0.5, end_s=first.start_s + 0.75, split="test")
    with pytest.raises(ValueError, match="but 1 of 1 were used there"):
        check_unseen(tmp_path, [later], str)


@pytest.mark.parametrize(
    ("records", "options", "message"),
    [
        (
            [ClipRecord(Path(f"{i}.mp4"), "a", group="g", split=("train", "test")[i]) for i in (0, 1)],
            {},
            "'g' in test and train",
        ),
        (clips(), {"num_folds": 3}, "both `num_folds` and `fold`"),
        (clips(), {"num_folds": 11, "fold": 0}, "number of groups"),
        (clips(), {"num_folds": 3, "fold": 3}, "`fold` < `num_folds`"),
        (clips(split="train"), {"num_folds": 3, "fold": 0}, "no prescribed splits"),
        (clips(), {"val_share": 0.6, "test_share": 0.5}, "leave clips for training"),
        (clips(split="train"), {}, "none is left for test"),
        (clips(1), {}, "none is left for val and test"),
        (clips(3, 1, "a") + clips(1, 1, "b", split="test"), {}, "every class in the training set"),
    ],
)
def test_impossible_splits_are_refused(records, options, message):
    with pytest.raises(ValueError, match=message):
        split_clips(records, **{"val_share": 0.2, "test_share": 0.2, "seed": 0, **options})


def test_one_video_in_two_splits_is_a_leak_even_with_different_groups():
    records = [
        ClipRecord(Path("m.mp4"), "a", start_s=0, end_s=1, group="p", split="train"),
        ClipRecord(Path("m.mp4"), "a", start_s=1, end_s=2, group="q", split="val"),
        ClipRecord(Path("n.mp4"), "a", group="r", split="test"),
    ]
    with pytest.raises(ValueError, match=r"every path in only one split.*m\.mp4"):
        check_splits(records)


@pytest.mark.parametrize("records", [clips(2, 2, split="test"), clips(2, 2, classes=[None])])
def test_a_dataset_for_test_or_prediction_is_not_split(records):
    assert [r.split for r in split_clips(records, 0.2, 0.2, 0)] == ["test"] * 4


def test_a_moved_dataset_passes_the_check_of_splits_and_a_changed_one_fails(tmp_path):
    done = split_clips(clips(), 0.2, 0.2, 0)
    write_splits(tmp_path / "splits.csv", done, str)
    check_same_splits(tmp_path / "splits.csv", [replace(r, path=tmp_path / r.path) for r in done])
    swapped = [replace(r, split="test" if r.path.name == "g3_1.mp4" else r.split) for r in done]
    for changed in (done[1:], swapped, split_clips(clips(), 0.2, 0.2, 1)):
        with pytest.raises(
            ValueError, match=r"Expected the clips and splits of .*entries differ, such as 'g"
        ):
            check_same_splits(tmp_path / "splits.csv", changed)


def test_splits_are_written(tmp_path):
    done = split_clips(clips(), 0.2, 0.2, 0)
    write_splits(tmp_path / "splits.csv", done, str)
    rows = list(csv.DictReader((tmp_path / "splits.csv").read_text().splitlines()))
    assert [tuple(r[key] for key in ("name", "label", "group", "split", "digest")) for r in rows] == [
        (r.name, r.label, r.group, r.split, str(r.path)) for r in done
    ]


def test_clips_that_a_checkpoint_used_are_refused_whatever_their_names(tmp_path):
    done = split_clips(clips(), 0.2, 0.2, 0)
    file = tmp_path / "splits.csv"
    write_splits(file, done, lambda path: path.stem)
    for split, may_measure in (("test", {"test"}), ("val", {"val", "test"})):
        for was in ("train", "val", "test"):
            now = [replace(r, split=split, path=tmp_path / r.path) for r in done if r.split == was]
            if was in may_measure:
                check_unseen(tmp_path, now, lambda path: path.stem)
            else:
                example = rf"{now[0].path}' is now in {split}, but was in {was}\."
                message = rf"but {len(now)} of {len(now)} were .*{example}"
                with pytest.raises(ValueError, match=message):
                    check_unseen(tmp_path, now, lambda path: path.stem)


def test_the_check_skips_a_run_without_digests(tmp_path):
    done = split_clips(clips(), 0.2, 0.2, 0)
    check_unseen(tmp_path, done, str)
    lines = ["name,label,group,split", *(f"{r.name},{r.label},{r.group},{r.split}" for r in done)]
    (tmp_path / "splits.csv").write_text("\n".join(lines))
    check_unseen(tmp_path, [replace(r, split="test") for r in done], str)
    check_same_splits(tmp_path / "splits.csv", done)
