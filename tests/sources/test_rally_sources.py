import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from drawn_video import picture

from tt_actions.clips.records import class_names
from tt_actions.clips.strokes import STROKES, Stroke, frame_labels
from tt_actions.sources import UserRallies
from tt_actions.sources.openttgames import read_events
from tt_actions.sources.ttstroke import read_moves
from tt_actions.video.encoder import write_video

EVENTS = Path(__file__).parents[2] / "../shared/real/openttgames_ext/events"
FILES = [pytest.param(EVENTS / f"events_markup{n}.json", id=f"match {n}") for n in (1, 7, 8, 9)]
here = pytest.mark.skipif(not EVENTS.is_dir(), reason="the real recordings are not here")

KINDS = "serve|loop|block|push|flick|lob|chop|smash"
TECHNIQUES = {
    "Serve": ("Backspin", "Loop", "Sidespin", "Topspin"),
    "Offensive": ("Hit", "Loop", "Flip"),
    "Defensive": ("Push", "Block", "Backspin"),
}
MOVES = [
    f"{kind} {hand} {technique}"
    for kind, techniques in TECHNIQUES.items()
    for hand in ("Forehand", "Backhand")
    for technique in techniques
]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Four seconds of 80x32 pixels at 20 fps."""
    path = tmp_path_factory.mktemp("drawn") / "drawn.mp4"
    write_video(path, [picture(i) for i in range(80)], fps=20)
    return path.read_bytes()


def place(video, *paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(video)


def write_events(path, events):
    path.write_text(json.dumps({str(frame): label for frame, label in events.items()}))


def write_moves(path, actions):
    lines = [f'<action begin="{begin}" end="{end}" move="{move}"/>' for begin, end, move in actions]
    path.write_text(f'<?xml version="1.0"?>\n<video name="1">\n{"".join(lines)}\n</video>')


def spans(strokes):
    return [(s.label, round(s.start_s, 6), round(s.end_s, 6)) for s in strokes]


# OpenTTGames


@here
@pytest.mark.parametrize("path", FILES)
def test_every_stroke_event_of_the_real_matches_is_read(path):
    text = path.read_text()
    for side in ("left", "right"):
        counted = Counter(re.findall(rf'"{side}_((?:fore|back)hand_(?:{KINDS}))[" ]', text))
        frames = sorted(int(frame) for frame in re.findall(rf'"(\d+)": "{side}_(?:fore|back)hand', text))
        strokes = read_events(path, 0.6, 0.4, fine=True).strokes[side]
        assert Counter(stroke.label for stroke in strokes) == counted
        assert [round(stroke.contact_s * 120, 6) for stroke in strokes] == frames
        assert all(one.end_s <= other.start_s for one, other in pairwise(strokes))
        coarse = Counter(stroke.label for stroke in read_events(path, 0.6, 0.4).strokes[side])
        for name in STROKES[:1] + STROKES[3:]:
            assert coarse[name] == sum(n for label, n in counted.items() if name in label)
        assert coarse.total() == counted.total()


@here
@pytest.mark.parametrize("path", FILES)
def test_every_other_label_of_the_real_matches_is_documented_or_listed(path):
    text = path.read_text()
    odd = {
        label: text.count(f'"{label}"')
        for label in set(re.findall(r'": "([^"]*)"', text))
        if not re.match(rf"(left|right)_(fore|back)hand_({KINDS}) ", label)
        and not re.fullmatch(r"bounce|net|empty_event", label)
        and not re.fullmatch(
            r"(left|right)_(net|out|winner|double_bounce|miss_on_own_side|not_hitting_ball)", label
        )
    }
    unknown = read_events(path, 0.6, 0.4).unknown
    assert {label: len(frames) for label, frames in unknown.items()} == odd
    assert set(odd) <= {"point", "other"}
    assert all(f'"{frame}": "{label}"' in text for label, frames in unknown.items() for frame in frames)


@here
def test_real_annotations_without_their_videos_are_refused_by_what_is_missing(tmp_path):
    message = (
        r"video of '.*events_markup1.json' in the folder '.*', named video_1, game_1, test_1, 1 with one "
    )
    with pytest.raises(
        FileNotFoundError, match=message + r"of the suffixes \.mp4, \.mov, \.avi, \.mkv, .*set `videos`"
    ):
        UserRallies(EVENTS, videos=tmp_path).records()


def test_each_half_of_the_picture_is_a_recording(video, tmp_path):
    place(video, tmp_path / "videos" / "Game_3.MP4")
    write_events(
        tmp_path / "events_markup3.json",
        {
            120: "left_forehand_serve neutral both_feet_planted",
            150: "bounce",
            180: "right_backhand_smash unknown unknown",
            240: "left_backhand_loop",
            264: "left_forehand_chop neutral",
        },
    )
    left, right = UserRallies(tmp_path, videos=tmp_path / "videos").records()
    assert left.path == right.path == tmp_path / "videos" / "Game_3.MP4"
    assert left.group == right.group == "Game_3"
    assert (left.roi, right.roi) == ((0, 0, 40, 32), (40, 0, 80, 32))
    assert (left.label, left.start_s, left.end_s, left.split) == (None, 0, None, None)
    assert spans(left.strokes) == [("serve", 0.4, 1.4), ("backhand", 1.4, 2.08), ("forehand", 2.08, 2.6)]
    assert spans(right.strokes) == [("smash", 0.9, 1.9)]
    assert (right.strokes[0].contact_s, right.strokes[0].player) == (1.5, "right")
    assert class_names([left, right]) == ["serve", "forehand", "backhand", "smash", "idle"]


def test_the_data_sets_own_names_are_kept_where_they_are_asked_for(video, tmp_path):
    place(video, tmp_path / "game_3.mp4")
    path = tmp_path / "events_markup3.json"
    write_events(path, {30: "left_forehand_serve", 90: "left_backhand_loop back_heavy unknown"})
    records = UserRallies(path, before_s=0.1, after_s=0.2, fine=True).records()
    assert spans(records[0].strokes) == [("forehand_serve", 0.15, 0.45), ("backhand_loop", 0.65, 0.95)]
    assert records[1].strokes == ()


@pytest.mark.parametrize(
    "label",
    [
        "LEFT_Forehand_Loop Neutral Both_Feet_Planted",
        "left-forehand-loop neutral both-feet-planted",
        " left forehand  loops_neutral both feet planted ",
    ],
)
def test_case_plural_and_signs_between_words_do_not_count(tmp_path, label):
    write_events(
        tmp_path / "e.json", {60: label, 70: "Bounces", 80: "empty-event", 90: "right Double Bounce"}
    )
    annotation = read_events(tmp_path / "e.json", 0.6, 0.4, fine=True)
    assert spans(annotation.strokes["left"]) == [("forehand_loop", 0, 0.9)]
    assert not annotation.unknown


def test_labels_that_are_not_documented_are_listed_and_never_guessed(video, tmp_path):
    place(video, tmp_path / "1.mp4", tmp_path / "2.mov")
    misspelt = "left_forehand_lop neutral both_feet_planted"
    known = {60: "left_forehand_loop neutral both_feet_planted", 90: misspelt, 120: misspelt}
    write_events(tmp_path / "events_markup1.json", known | {150: "left_backhand_push back_heavyn unknown"})
    write_events(tmp_path / "events_markup2.json", {7: "xright_backhand_chop", 8: "right_forehand_block"})
    with pytest.warns(UserWarning, match="Expected only labels") as caught:
        records = UserRallies(tmp_path).records()
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "\n" not in message
    for listed in (
        f"'{misspelt}' (events_markup1.json, frames 90, 120)",
        "'left_backhand_push back_heavyn unknown' (events_markup1.json, frame 150)",
        "'xright_backhand_chop' (events_markup2.json, frame 7)",
    ):
        assert listed in message
    assert [[stroke.label for stroke in record.strokes] for record in records] == [
        ["forehand", "backhand"],
        [],
        [],
        ["forehand"],
    ]


@pytest.mark.parametrize(
    ("annotations", "videos", "message"),
    [
        ("events_markup1.json", ["video_1.mp4"], None),
        ("events_markup_1.json", ["test_1.mkv", "test_2.mkv"], None),
        ("events_markup_test_1.json", ["test_1.mp4", "game_1.mp4"], None),
        ("game_1.json", ["test_1.mp4", "game_1.avi"], None),
        ("game_1/events_markup.json", ["game_1.mp4", "game_2.mp4"], None),
        (
            "events_markup1.json",
            ["test_1.mp4", "game_1.mp4"],
            "one video .*, but found game_1.mp4, test_1.mp4",
        ),
        (
            "events_markup1.json",
            ["game_11.mp4", "game_1.txt"],
            "named video_1, game_1, test_1, 1 with one of",
        ),
        ("game_1/events_markup.json", ["1.mp4"], "named game_1 with one of"),
    ],
)
def test_annotations_find_their_video_by_its_name(video, tmp_path, annotations, videos, message):
    place(video, *(tmp_path / "videos" / name for name in videos))
    path = tmp_path / annotations
    path.parent.mkdir(exist_ok=True)
    write_events(path, {60: "left_forehand_loop neutral unknown"})
    source = UserRallies(tmp_path, videos=tmp_path / "videos")
    if message is None:
        suffix = Path(videos[-1] if annotations == "game_1.json" else videos[0]).name
        assert {record.path.name for record in source.records()} == {suffix}
    else:
        with pytest.raises((FileNotFoundError, ValueError), match=message):
            source.records()


def test_strokes_end_with_the_video_and_none_lies_behind_it(video, tmp_path):
    place(video, tmp_path / "1.mp4")
    path = tmp_path / "events_markup1.json"
    write_events(path, {470: "left_forehand_loop neutral unknown"})
    assert UserRallies(path).records()[0].strokes[0].end_s == pytest.approx(4.0, abs=2e-3)
    write_events(path, {490: "left_forehand_loop neutral unknown"})
    with pytest.raises(
        ValueError, match=r"within the duration of '.*1\.mp4' \(4\.0.. s\), but got a forehand at 4\.083 s"
    ):
        UserRallies(path).records()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JSON file in UTF-8"),
        (b'{"1": "net"', "JSON file in UTF-8"),
        ('{"1": "l\u00e9ft_net"}'.encode("latin-1"), "JSON file in UTF-8"),
        (b"[" * 100_000, "plain JSON object, but it is nested deeply"),
        (b'["net"]', "from frame number to event"),
        (b"7", "from frame number to event"),
        (b'{"-5": "net"}', "but got 'net' for '-5'"),
        (b'{"1.5": "net"}', "but got 'net' for '1.5'"),
        (b'{"' + b"9" * 5000 + b'": "net"}', "but got 'net' for '9999"),
        (b'{"5": {"x": 1, "y": 2}}', "for '5'. Use an `events_markup` file"),
        (b'{"5": null}', "but got None for '5'"),
        (b'{"5": "net", "05": "bounce"}', "each frame once .*, but got 5 twice"),
        (b" " * (16 * 2**20 + 1), "of at most 16777216 bytes, but .* has 16777217"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_malformed_events_are_refused_by_file(tmp_path, content, message):
    (tmp_path / "e.json").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_events(tmp_path / "e.json", 0.6, 0.4)
    assert "e.json'" in str(caught.value)


# TTStroke-21


def test_the_twenty_moves_are_four_classes_or_themselves(video, tmp_path):
    place(video, tmp_path / "0042.mp4")
    write_moves(tmp_path / "0042.xml", [(4 * i, 4 * i + 3, move) for i, move in enumerate(MOVES)][:20])
    (record,) = UserRallies(tmp_path, fine=True).records()
    assert [stroke.label for stroke in record.strokes] == MOVES
    assert (record.roi, record.group) == (None, "0042")
    (coarse,) = UserRallies(tmp_path).records()
    assert Counter(stroke.label for stroke in coarse.strokes) == {"serve": 8, "forehand": 6, "backhand": 6}
    assert coarse.strokes[1] == Stroke("serve", 0.2, 0.35)


def test_moves_are_numbered_at_the_videos_rate_and_idle_between(tmp_path):
    path = tmp_path / "m.xml"
    write_moves(path, [(240, 360, "defensive_backhand pushes"), (0, 100, "Negative"), (120, 180, "None")])
    annotation = read_moves(path, fps=120)
    assert annotation.strokes == {None: [Stroke("backhand", 2.0, 3.0)]}
    assert not annotation.unknown
    labels = frame_labels(annotation.strokes[None], np.arange(5) / 1.0, ["backhand", "idle"], "idle")
    assert labels.tolist() == [1, 1, 0, 1, 1]


def test_moves_that_are_not_documented_are_listed(video, tmp_path):
    place(video, tmp_path / "a.mp4")
    moves = [(0, 5, "Unknown"), (5, 9, "Serve Forehand Loop"), (9, 12, "Serve Loop"), (12, 15, "Unknown")]
    write_moves(tmp_path / "a.xml", moves)
    with pytest.warns(
        UserWarning, match=r"'Unknown' \(a.xml, frames 0, 12\); 'Serve Loop' \(a.xml, frame 9\)"
    ):
        (record,) = UserRallies(tmp_path / "a.xml").records()
    assert spans(record.strokes) == [("serve", 0.25, 0.45)]


BOMB = (
    '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    '<video><action begin="1" end="2" move="&b;"/></video>'
)
ACTION = '<action begin="1" end="9" move="Serve Forehand Loop"/>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "plain XML file, but got: it declares a document type, 'v'"),
        (BOMB.encode("utf-16"), "plain XML file, but got: it declares a document type, 'v'"),
        ('<!DOCTYPE v SYSTEM "file:///etc/passwd"><video/>', "it declares a document type"),
        ("", "plain XML file"),
        ("<video>", "plain XML file"),
        ('<?xml version="1.0" encoding="nonsense"?><video/>', "plain XML file"),
        ("<video a='\u00e9'/>".encode("latin-1"), "plain XML file"),
        ("<video/>", "Expected actions in .*, but it has none"),
        ("<a>" * 50_000 + "</a>" * 50_000, "every element"),
        ('<video><action begin="-5" end="2" move="None"/></video>', "`begin` < `end` .*'-5'"),
        ('<video><action begin="5" end="2" move="None"/></video>', "`begin` < `end`"),
        ('<video><action begin="2" end="2" move="None"/></video>', "`begin` < `end`"),
        ('<video><action begin="1.5" end="2" move="None"/></video>', "`begin` < `end`"),
        ('<video><action begin="1" end="2"/></video>', "and a `move`"),
        ('<video><action end="2" move="None"/></video>', "`begin` < `end`"),
        ('<video><stroke begin="1" end="2" move="None"/></video>', "but got `stroke`"),
        (f"<video>{ACTION}{ACTION}</video>", "don't overlap, but got .* in frames 1 to 9 and .* in 1 to 9"),
        (f"<video>{ACTION}{ACTION.replace('1', '8')}</video>", "don't overlap"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_malformed_moves_are_refused_by_file(tmp_path, content, message):
    (tmp_path / "m.xml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as caught:
        read_moves(tmp_path / "m.xml", 120)
    assert "m.xml'" in str(caught.value)


def test_a_latin_1_file_that_says_so_is_read(tmp_path):
    text = f'<?xml version="1.0" encoding="iso-8859-1"?><video name="\u00e9t\u00e9">{ACTION}</video>'
    (tmp_path / "m.xml").write_bytes(text.encode("latin-1"))
    assert spans(read_moves(tmp_path / "m.xml", 10).strokes[None]) == [("serve", 0.1, 0.9)]


# Arguments of the source


def test_a_path_that_holds_no_annotations_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no '.*absent'"):
        UserRallies(tmp_path / "absent").records()
    with pytest.raises(FileNotFoundError, match=r"no file '.*absent\.csv'"):
        UserRallies(tmp_path / "absent.csv").records()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "._1.xml").touch()
    with pytest.raises(ValueError, match=r"\.csv, \.json or \.xml file"):
        UserRallies(tmp_path / "notes.txt").records()
    with pytest.raises(ValueError, match=r"events_markup\*\.json.* or its subfolders, but found none"):
        UserRallies(tmp_path).records()
    with pytest.raises(ValueError, match="Pass its path"):
        UserRallies(Path("???"))


@pytest.mark.parametrize("spans_s", [(-0.1, 0.4), (0.6, 0.0), (float("nan"), 0.4), (0.6, float("inf"))])
def test_spans_that_make_no_sense_are_refused(spans_s):
    with pytest.raises(ValueError, match="`before_s` to be at least 0 and `after_s` positive"):
        UserRallies(Path("m.csv"), None, *spans_s)
