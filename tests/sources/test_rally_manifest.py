import numpy as np
import pytest

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord, class_names
from tt_actions.clips.strokes import Stroke
from tt_actions.sources import UserRallies
from tt_actions.video.encoder import write_video


def manifest(folder, text):
    (folder / "m.csv").write_text(text)
    return UserRallies(folder / "m.csv")


def spans(strokes):
    return [(s.label, round(s.start_s, 6), round(s.end_s, 6)) for s in strokes]


def test_rows_of_one_path_and_region_are_one_recording(tmp_path):
    records = manifest(
        tmp_path,
        "path,label,start_s,end_s,contact_s,x0,y0,x1,y1,group,split\n"
        "a.mp4,smash,5,6.5,5.9,,,,,anna,train\n"
        "a.mp4,serve,0,2,,,,,,anna,train\n"
        "a.mp4,idle,2,5,,,,,,anna,train\n"
        "b.mp4,serve,1,2,,0,0,40,32,,\n"
        "b.mp4,lob,1.5,2.5,,40,0,80,32,,\n"
        "c.mp4,,,,,,,,,bert,test\n",
    ).records()
    assert records == [
        ClipRecord(
            tmp_path / "a.mp4",
            group="anna",
            split="train",
            strokes=(Stroke("serve", 0.0, 2.0), Stroke("smash", 5.0, 6.5, 5.9)),
        ),
        ClipRecord(
            tmp_path / "b.mp4", roi=(0, 0, 40, 32), group="b.mp4", strokes=(Stroke("serve", 1.0, 2.0),)
        ),
        ClipRecord(
            tmp_path / "b.mp4", roi=(40, 0, 80, 32), group="b.mp4", strokes=(Stroke("lob", 1.5, 2.5),)
        ),
        ClipRecord(tmp_path / "c.mp4", group="bert", split="test", strokes=()),
    ]
    assert class_names(records) == ["lob", "serve", "smash", "idle"]


def test_contacts_alone_are_given_a_start_and_an_end_and_videos_may_be_elsewhere(tmp_path):
    (tmp_path / "m.csv").write_text(
        "path,label,contact_s\na.mp4,backhand,2.5\na.mp4,serve,0.5\na.mp4,lob,3.5\n"
    )
    (record,) = UserRallies(tmp_path / "m.csv", tmp_path / "far", before_s=1.5, after_s=0.5).records()
    assert record.path == tmp_path / "far" / "a.mp4"
    assert spans(record.strokes) == [("serve", 0, 1), ("backhand", 1, 2.75), ("lob", 2.75, 4)]
    assert [stroke.contact_s for stroke in record.strokes] == [0.5, 2.5, 3.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "no rows"),
        (
            "a,serve,1,2,,\na,smash,1.5,3,,",
            "lines 2 and 3: Expected strokes of one player that don't overlap",
        ),
        ("a,serve,,,1,\na,smash,,,1,", "lines 2 and 3: Expected strokes of one player that don't overlap"),
        ("a,serve,1,2,,anna\na,smash,3,4,,bert", "lines 2 and 3: Expected one group and split"),
        ("a,serve,1,2,,\na,,,,,", "lines 2 and 3: Expected either strokes"),
        ("a,serve,,,,", "line 2: Expected `start_s` and `end_s` of the stroke, or only `contact_s`"),
        ("a,serve,1,,,", "line 2: Expected `start_s` and `end_s` of the stroke, or only `contact_s`"),
        ("a,serve,1,,2,", "line 2: Expected `start_s` and `end_s` of the stroke, or only `contact_s`"),
        ("a,serve,,2,,", "line 2: Expected `start_s` and `end_s` of the stroke, or only `contact_s`"),
        ("a,serve,,2,1,", "line 2: Expected `start_s` and `end_s` of the stroke, or only `contact_s`"),
        ("a,,1,2,,", "line 2: Expected the `label`"),
        ("a,,,,2,", "line 2: Expected the `label`"),
        ("a,serve,2,1,,", "line 2: Expected `start_s`"),
        ("a,serve,1,2,3,", "line 2: Expected a stroke with"),
        ("a,serve,,,-1,", "line 2: Expected `contact_s` to be at least 0"),
        ("a,serve,,,nan,", "line 2: Expected `contact_s` to be at least 0"),
        ("a,serve,,,soon,", "line 2: Expected `contact_s` to be a number"),
        ("a,serve,1,2", "line 2: Expected as many cells"),
        ("a,,,,,", "m.csv', but got only .'idle'"),
    ],
)
def test_rows_that_contradict_each_other_are_refused_with_their_lines(tmp_path, rows, message):
    with pytest.raises(ValueError, match=rf"m\.csv'.*{message}|{message}.*m\.csv|^Expected.*{message}"):
        manifest(tmp_path, f"path,label,start_s,end_s,contact_s,group\n{rows}\n").records()


def test_strokes_behind_the_video_are_refused_once_it_is_decoded(tmp_path):
    write_video(tmp_path / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * 20, 10)
    source = manifest(tmp_path, "path,label,start_s,end_s\na.mp4,serve,0.5,1\na.mp4,smash,2.1,2.5\n")
    data = ClipDataModule(source, Preprocessing(10, (16, 16)), 2, val_share=0.0, cache_dir=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"within its duration of 2\.000 s, but got a smash at 2\.100 s"):
        data.records  # noqa: B018 - decodes
