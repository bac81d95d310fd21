import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tt_actions.clips.manifest import COLUMNS, read_manifest, write_manifest
from tt_actions.clips.records import ClipRecord, check_labels, class_names
from tt_actions.clips.strokes import Stroke

# a UTF-8 CSV file can't contain surrogates or NUL, and cells other than paths are stripped on reading
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
text = any_text.filter(lambda value: value == value.strip())
names = any_text.filter(lambda value: "/" not in value and value not in {".", ".."})
ascending = st.tuples(st.integers(0, 4000), st.integers(1, 4000)).map(lambda pair: (pair[0], sum(pair)))


@st.composite
def clip_records(draw):
    start_s = draw(st.floats(0, 1e5))
    (x0, x1), (y0, y1) = draw(ascending), draw(ascending)
    return ClipRecord(
        path=Path("/clips") / draw(names) / draw(names),
        label=draw(st.none() | text),
        start_s=start_s,
        end_s=draw(st.none() | st.floats(start_s, 2e5, exclude_min=True)),
        roi=draw(st.none() | st.just((x0, y0, x1, y1))),
        group=draw(st.none() | text),
        split=draw(st.sampled_from([None, "train", "val", "test"])),
        hand=draw(st.sampled_from([None, "left", "right"])),
        contact_s=draw(st.none() | st.just(start_s)),
        player=draw(st.none() | text),
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(clip_records(), min_size=1, max_size=4))
def test_a_manifest_written_and_read_is_the_same(tmp_path, records):
    write_manifest(tmp_path / "manifest.csv", records)
    assert read_manifest(tmp_path / "manifest.csv") == records


@given(record=clip_records())
def test_a_clip_is_found_by_its_name(record):
    assume(record.end_s is None or record.end_s - record.start_s > 0.01)
    found = ClipRecord.from_name(record.name, record.label)
    assert found.name == record.name
    assert (found.path, found.label, found.roi) == (record.path, record.label, record.roi)


@pytest.mark.parametrize(
    "name", [" a.mp4", "a.mp4 ", " ", "\ta\n", "a,b.mp4", '"a".mp4', "#a%20.mp4", "\u4e2d.mp4"]
)
def test_any_name_of_a_video_is_found_again(tmp_path, name):
    """A path below the manifest begins with the name, another one only ends with it."""
    records = [ClipRecord(tmp_path / name, "serve"), ClipRecord(Path("/far") / name, "serve")]
    write_manifest(tmp_path / "m.csv", records)
    assert read_manifest(tmp_path / "m.csv") == records


def test_videos_below_the_manifest_have_relative_paths_and_move_with_it(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    write_manifest(old / "m.csv", [ClipRecord(old / "serve" / "1.mp4"), ClipRecord(Path("/far/2.mp4"))])
    old.rename(new)
    assert [r.path for r in read_manifest(new / "m.csv")] == [new / "serve" / "1.mp4", Path("/far/2.mp4")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_an_unreadable_manifest_is_reported(tmp_path):
    (tmp_path / "m.csv").touch(mode=0o000)
    with pytest.raises(
        OSError, match=r"'.*m\.csv' to be readable, but got: Permission denied\. Check the permissions"
    ):
        read_manifest(tmp_path / "m.csv")


def test_columns_may_have_any_order_and_only_path_is_required(tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_bytes("\ufefflabel,end_s,path\r\nserve, 2.5 ,a.mp4\r\n,,b.mp4\r\n".encode())
    assert read_manifest(manifest) == [
        ClipRecord(tmp_path / "a.mp4", "serve", end_s=2.5),
        ClipRecord(tmp_path / "b.mp4"),
    ]
    manifest.write_text("path\na.mp4\n")
    assert read_manifest(manifest) == [ClipRecord(tmp_path / "a.mp4")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "first line"),
        ("path,label\n", "no rows"),
        ("label\nserve\n", "first line"),
        ("path,lable\na.mp4,serve\n", "lable"),
        ("path,path\na.mp4,b.mp4\n", "first line"),
        ("path,label\na.mp4,serve\n,smash\n", "line 3: Expected `path`"),
        ("path,label\na.mp4\n", "line 2: Expected as many cells"),
        ("path\na.mp4,serve\n", "line 2: Expected as many cells"),
        ("path,start_s\na.mp4,one\n", "line 2: Expected `start_s` to be a number .*, but got 'one'"),
        ('path,end_s\na.mp4,"0,5"\n', "line 2: Expected `end_s` to be a number .*, but got '0,5'"),
        ("path,x0,y0,x1,y1\na.mp4,0,0,x,4\n", "line 2: Expected `x1` to be a number .*, but got 'x'"),
        ("path,x0,y0,x1,y1\na.mp4,0,0,1.5,4\n", "line 2: Expected `x1` to be a whole number .*'1.5'"),
        ("path,start_s,end_s\na.mp4,2,1\n", "line 2: Expected `start_s`"),
        ("path,start_s\na.mp4,nan\n", "line 2: Expected `start_s`"),
        ("path,end_s\na.mp4,inf\n", "line 2: Expected `start_s`"),
        ("path,start_s\na.mp4,-1\n", "line 2: Expected `start_s`"),
        ("path,x0,y0,x1,y1\na.mp4,1,2,3,\n", "line 2: Expected all of `x0`"),
        ("path,x0,y0,x1,y1\na.mp4,3,2,3,4\n", "line 2: Expected `roi`"),
        ("path,split\na.mp4,training\n", "line 2: Expected `split`"),
        ("path,contact\na.mp4,1\n", "columns out of .* but got path,contact"),
        (b"path\n\xff\xfe.mp4\n", "UTF-8"),
    ],
)
def test_an_invalid_manifest_is_refused_with_the_line_number(tmp_path, content, message):
    manifest = tmp_path / "m.csv"
    manifest.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"(?s)m.csv.*{message}|{message}.*m.csv"):
        read_manifest(manifest)


def test_pixels_may_have_a_decimal_point_as_pandas_writes_them(tmp_path):
    (tmp_path / "m.csv").write_text("path,x0,y0,x1,y1\na.mp4,0.0,1.0,20.0,30.0\n")
    assert read_manifest(tmp_path / "m.csv")[0].roi == (0, 1, 20, 30)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file '.*m\.csv'"):
        read_manifest(tmp_path / "m.csv")


def test_the_header_of_a_written_manifest_is_the_documented_one(tmp_path):
    write_manifest(tmp_path / "m.csv", [ClipRecord(tmp_path / "a.mp4")])
    assert (tmp_path / "m.csv").read_text().split() == [",".join(COLUMNS), "a.mp4,,,,,,,,,,,,"]


def test_names_distinguish_stretches_and_regions_of_a_long_video():
    video = Path("match.mp4")
    assert ClipRecord(video).name == "match.mp4"
    assert ClipRecord(video, start_s=1.5, end_s=3, roi=(0, 1, 2, 3)).name == "match.mp4[1.5-3](0,1,2,3)"
    starts = [5400 + i / 1000 for i in range(100)]
    assert len({ClipRecord(video, start_s=start).name for start in starts}) == 100


def records(*labels):
    return [ClipRecord(Path(f"{i}.mp4"), label) for i, label in enumerate(labels)]


def test_strokes_keep_their_own_order_and_other_classes_are_sorted():
    assert class_names(records("smash", "serve", None, "backhand", "smash")) == ["serve", "backhand", "smash"]
    assert class_names(records("smash", "serve", "lob")) == ["lob", "serve", "smash"]


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (records("serve", None, "smash", None), "2 of 4 have none, for example '1.mp4'"),
        (records("serve", "serve"), "two classes.*'serve'"),
        ([*records("serve", "smash"), *records("serve")], "'0.mp4' appears twice"),
    ],
)
def test_clips_that_cannot_be_used_for_training_are_refused(clips, message):
    with pytest.raises(ValueError, match=message):
        check_labels(Path("clips"), clips)


@pytest.mark.parametrize(
    "clips", [records(None, None), [ClipRecord(Path(f"{i}.mp4"), "serve", split="test") for i in range(2)]]
)
def test_clips_to_predict_need_no_labels_and_clips_to_test_one_class(clips):
    check_labels(Path("clips"), clips)


def recording(name, *labels, **kwargs):
    strokes = tuple(Stroke(label, float(start_s), start_s + 0.5) for start_s, label in enumerate(labels))
    return ClipRecord(Path(name), strokes=strokes, **kwargs)


def test_idle_is_the_last_class_of_recordings():
    assert class_names([recording("a", "smash", "serve"), recording("b")]) == ["serve", "smash", "idle"]
    assert class_names([recording("a", "lob", "serve", "zigzag")]) == ["lob", "serve", "zigzag", "idle"]
    assert class_names([recording("a")]) == ["idle"]


def test_the_name_of_a_recording_contains_only_stretch_and_region():
    assert recording("a.mp4", "serve", roi=(0, 0, 4, 4)).name == "a.mp4(0,0,4,4)"


@pytest.mark.parametrize(
    "kwargs",
    [
        {"label": "serve"},
        {"start_s": 0.5},
        {"end_s": 1.4},
        {"strokes": (Stroke("smash", 1.0, 1.5), Stroke("serve", 0.0, 0.5))},
    ],
)
def test_strokes_must_be_in_order_within_the_stretch_and_without_a_label(kwargs):
    strokes = (Stroke("serve", 0.0, 0.5), Stroke("smash", 1.0, 1.5))
    assert ClipRecord(Path("a.mp4"), end_s=1.5, strokes=strokes).labels == {"serve", "smash", "idle"}
    with pytest.raises(ValueError, match=r"strokes of 'a\.mp4' in chronological order"):
        ClipRecord(Path("a.mp4"), **{"strokes": strokes} | kwargs)


def test_recordings_can_be_used_for_training():
    check_labels(Path("clips"), [recording("a", "serve"), recording("b")])
    check_labels(Path("clips"), [recording("a", split="test")])


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([recording("a"), recording("b")], r"two classes in 'clips', but got only \['idle'\]"),
        ([recording("a", "serve"), recording("a")], "'a' appears twice"),
        (
            [recording("a", "serve"), *records("smash")],
            "got 1 clips, such as '0.mp4', and 1 recordings, .* 'a'",
        ),
        ([recording("a", "serve"), *records(None)], "got 1 clips, such as '0.mp4', and 1 recordings"),
        (
            [recording("a", "serve", "idle")],
            "no stroke in 'a' to be labelled 'idle'",
        ),
    ],
)
def test_recordings_that_cannot_be_used_for_training_are_refused(clips, message):
    with pytest.raises(ValueError, match=message):
        check_labels(Path("clips"), clips)
