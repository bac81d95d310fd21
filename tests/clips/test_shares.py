"""Shares of the training clips: nested, in whole groups, in proportion, with every class."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.shares import keep_share
from tt_actions.sources import UserClips

CLIPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["p", "q", "r", "s", None]), st.booleans()), max_size=40
)


def make(clips):
    """Clips with a class, a group and whether they are for training; groups are whole."""
    split = {group: "train" if is_train else "test" for _, group, is_train in clips}
    return [
        ClipRecord(
            Path(f"{number}.mp4"),
            label,
            group=group,
            split=split[group] if group else "train" if is_train else "val",
        )
        for number, (label, group, is_train) in enumerate(clips)
    ]


@given(CLIPS, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 3))
def test_a_smaller_share_is_part_of_a_larger_and_groups_stay_whole(clips, one, other, seed):
    records = make(clips)
    small, large = (keep_share(records, share, seed) for share in sorted((one, other)))
    assert set(small) <= set(large)
    for kept in (small, large):
        assert [r for r in records if r in kept] == kept
        assert {r for r in records if r.split != "train"} <= set(kept)
        assert {r.label for r in kept if r.split == "train"} == {
            r.label for r in records if r.split == "train"
        }
        groups = {r.group for r in kept if r.split == "train"} - {None}
        assert all(r in kept for r in records if r.group in groups)


def test_a_share_has_about_the_wanted_size_and_the_classes_of_the_whole():
    records = make([(label, None, True) for label in "a" * 200 + "b" * 100])
    for share in (0.1, 0.3, 0.5):
        counts = Counter(record.label for record in keep_share(records, share, 0))
        assert counts["a"] == pytest.approx(200 * share, abs=1)
        assert counts["b"] == pytest.approx(100 * share, abs=1)
    players = make([(label, f"player {n}", True) for n in range(20) for label in "abc"])
    assert len({record.group for record in keep_share(players, 0.25, 0)}) == 5


def test_the_seed_decides_which_clips_stay():
    records = make([("a", None, True)] * 50)
    chosen = [frozenset(keep_share(records, 0.2, seed)) for seed in (0, 0, 1, 2)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) == 3


def test_every_class_stays_even_in_the_smallest_share():
    records = make([("a", None, True)] * 99 + [("b", None, True)])
    assert {record.label for record in keep_share(records, 0.01, 0)} == {"a", "b"}


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match=rf"`train_share` above 0 and at most 1, but got {share}"):
        keep_share([], share, 0)


def test_a_data_module_trains_on_the_share_and_tests_on_the_same_clips(strokes, cache_dir):
    def data(**options):
        return ClipDataModule(
            UserClips(strokes), Preprocessing(10, (16, 16), num_frames=4), cache_dir=cache_dir, **options
        )

    whole, half = data(), data(train_share=0.5)
    assert half.dataset("test").records == whole.dataset("test").records
    assert half.dataset("val").records == whole.dataset("val").records
    training = half.dataset("train").records
    assert set(training) < set(whole.dataset("train").records)
    players = {record.group for record in training}
    assert len(players) == len({record.group for record in whole.dataset("train").records}) // 2
