import multiprocessing
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.specs import FrameSpec
from tt_actions.errors import UnreadableError
from tt_actions.video.decoder import VideoWarning
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

SPEC = FrameSpec(fps=10, size=(16, 24))


def draw(path, brightness=0):
    write_video(path, [np.full((32, 48, 3), brightness + 4 * i, np.uint8) for i in range(20)], fps=20)
    return ClipRecord(path, "serve")


@pytest.fixture
def record(tmp_path):
    return draw(tmp_path / "clip.mp4")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def cached_files(folder):
    return sorted(folder.rglob("*.npy"))


def test_cached_frames_are_those_of_the_video_and_read_only(record, folder):
    wanted = read_frames(record.path, fps=10, size=(16, 24)).values
    for _ in range(2):
        frames = FrameCache(folder).frames(record, SPEC)
        np.testing.assert_array_equal(frames, wanted)
        assert not frames.flags.writeable
    np.testing.assert_array_equal(np.load(cached_files(folder)[0]), wanted)


def test_a_cached_clip_is_not_decoded_again(record, folder):
    FrameCache(folder).frames(record, SPEC)
    (file,) = cached_files(folder)
    written = file.stat().st_mtime_ns
    FrameCache(folder).frames(record, SPEC)
    assert file.stat().st_mtime_ns == written


def test_a_moved_video_is_found_by_its_content(record, folder):
    FrameCache(folder).frames(record, SPEC)
    moved = replace(record, path=record.path.rename(record.path.with_name("moved.mp4")))
    FrameCache(folder).frames(moved, SPEC)
    assert len(cached_files(folder)) == 1


def test_a_changed_video_is_decoded_again(record, folder):
    before = FrameCache(folder).frames(record, SPEC)
    draw(record.path, brightness=100)
    after = FrameCache(folder).frames(record, SPEC)
    assert after.mean() > before.mean() + 50


@pytest.mark.parametrize(
    ("clip", "spec"),
    [
        ({"start_s": 0.5}, {}),
        ({"end_s": 0.5}, {}),
        ({"roi": (0, 0, 24, 16)}, {}),
        ({}, {"fps": 5}),
        ({}, {"size": (16, 16)}),
        ({}, {"aspect": "stretch"}),
        ({}, {"roi": (0, 0, 24, 16)}),
        ({}, {"crop": "motion"}),
        ({}, {"flow": True}),
    ],
)
def test_each_stretch_region_and_spec_has_frames_of_its_own(record, folder, clip, spec):
    cache = FrameCache(folder)
    other, other_spec = replace(record, **clip), replace(SPEC, **spec)
    cache.frames(record, SPEC)
    frames = cache.frames(other, other_spec)
    wanted = read_frames(
        other.path,
        fps=other_spec.fps,
        start_s=other.start_s,
        end_s=other.end_s,
        size=other_spec.size,
        aspect=other_spec.aspect,
        roi=other.roi or other_spec.roi,
        crop=other_spec.crop,
        flow=other_spec.flow,
    ).values
    np.testing.assert_array_equal(frames, wanted)
    assert len(cached_files(folder)) == 2


def test_the_clips_own_region_overrides_the_specs(record, folder):
    cache = FrameCache(folder)
    own = cache.frames(replace(record, roi=(0, 0, 8, 8)), replace(SPEC, roi=(8, 8, 16, 16)))
    np.testing.assert_array_equal(own, cache.frames(replace(record, roi=(0, 0, 8, 8)), SPEC))


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"garbage" * 1000),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes()[:100]),
        lambda file: file.write_bytes(file.read_bytes() + b"\0"),
        lambda file: np.save(file, np.zeros((3, 16, 24, 3))),
    ],
)
def test_a_broken_cached_file_is_created_again(record, folder, damage, same_process):
    cache = FrameCache(folder)
    wanted = cache.frames(record, SPEC).copy()
    (file,) = cached_files(folder)
    copy = file.read_bytes()
    file.unlink()  # the map above keeps the old file
    file.write_bytes(copy)
    damage(file)
    np.testing.assert_array_equal(
        (cache if same_process else FrameCache(folder)).frames(record, SPEC), wanted
    )


def test_a_broken_stored_digest_is_computed_again(record, folder):
    wanted = FrameCache(folder).frames(record, SPEC)
    (note,) = (folder / "digests").iterdir()
    good = note.read_bytes()
    for broken in (b"", b"\xff" * 70, good[:-1]):
        note.write_bytes(broken)
        np.testing.assert_array_equal(FrameCache(folder).frames(record, SPEC), wanted)
        assert note.read_bytes() == good
    assert len(cached_files(folder)) == 1


def mean_brightness(folder, record):
    return float(FrameCache(folder).frames(record, SPEC).mean())


def test_processes_may_build_the_same_clip_at_once(record, folder):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        means = pool.map(partial(mean_brightness, folder), [record] * 12, chunksize=1)
    assert len(set(means)) == 1
    assert len(cached_files(folder)) == 1
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_build_decodes_and_returns_the_clips_in_order(tmp_path, folder, capfd):
    records = [draw(tmp_path / f"{i}.mp4", brightness=i) for i in range(10)]
    assert FrameCache(folder).build(records, SPEC, num_workers=2) == records
    assert len(cached_files(folder)) == 10
    assert "Decoding" in capfd.readouterr().err
    assert FrameCache(folder).build(records, SPEC) == records
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("num_good", [3, 10])
def test_build_lists_all_unreadable_files_or_skips_them(tmp_path, folder, num_good):
    good = [draw(tmp_path / f"{i}.mp4") for i in range(num_good)]
    (tmp_path / "text.mp4").write_text("not a video")
    bad = [
        ClipRecord(tmp_path / "text.mp4"),
        ClipRecord(tmp_path / "gone.mp4"),
        replace(good[0], start_s=50.0),
    ]
    records = [bad[0], *good, *bad[1:]]
    cache = FrameCache(folder)
    with pytest.raises(UnreadableError, match=f"3 of {num_good + 3} clips can't be read") as caught:
        cache.build(records, SPEC, num_workers=2)
    for hint in ("text.mp4", "gone.mp4", "got 50 s to the end", "skip_unreadable"):
        assert hint in str(caught.value)
    with pytest.warns(VideoWarning, match="Skipping clips: 3"):
        assert cache.build(records, SPEC, num_workers=2, skip_unreadable=True) == good
    with pytest.raises(UnreadableError, match="3 of 3"):
        cache.build(bad, SPEC, skip_unreadable=True)


def test_build_passes_on_warnings_of_damaged_files(record, folder):
    record.path.write_bytes(record.path.read_bytes()[:-20])
    with pytest.warns(VideoWarning, match=r"clip\.mp4' is cut off"):
        assert FrameCache(folder).build([record], SPEC) == [record]


def test_decoding_threads_keep_no_maps(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(
        "tt_actions.clips.cache._MAX_MAPS", 1
    )  # if threads kept maps, two could drop the same
    cache = FrameCache(folder)
    records = [draw(tmp_path / f"{i}.mp4", brightness=i) for i in range(4)]
    assert cache.build(records, SPEC, num_workers=4) == records
    assert cache._maps == {}


def test_a_name_that_is_not_utf_8_has_a_digest(record, folder):
    odd = record.path.with_name("od\udcffd.mp4")
    record.path.rename(odd)
    assert len(FrameCache(folder).digest(odd)) == 40


def test_a_full_disk_is_reported_and_leaves_no_partial_file(tmp_path, record):
    script = (
        "import sys; from pathlib import Path\n"
        "from tt_actions.clips.cache import FrameCache; from tt_actions.clips.records import ClipRecord\n"
        "from tt_actions.clips.specs import FrameSpec\n"
        "FrameCache(Path(sys.argv[2])).frames(ClipRecord(Path(sys.argv[1])), FrameSpec(10, (64, 64)))\n"
    )
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, 20_000))
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, record.path, tmp_path / "cache"],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert re.search(r"Expected to write '.*/cache/.*\.npy', but got: ", done.stderr)
    assert "Free some space or choose another `cache_dir`" in done.stderr
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix == ".npy"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_reported(tmp_path, record):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OSError, match="cache_dir"):
        FrameCache(tmp_path / "locked" / "cache").frames(record, SPEC)


def test_a_cached_clip_opens_in_a_fraction_of_a_millisecond(record, folder):
    cache = FrameCache(folder)
    cache.frames(record, SPEC)
    took = []
    for _ in range(200):
        start = time.perf_counter()
        cache.frames(record, SPEC)
        took.append(time.perf_counter() - start)
    assert np.median(took) < 150e-6
