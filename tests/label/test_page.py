"""The page on which strokes are marked, as a person uses it in a browser."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from labelling import Desk, ask, is_shown, number_of, own, press, said
from marked import draw_match, film, flatten, make_match
from pages import HOSTILE, wait_for

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.strokes import Stroke
from tt_actions.label.proposals import unmarked
from tt_actions.pose.video import POINTS
from tt_actions.recognition.unnamed import REMARK
from tt_actions.video.encoder import write_video

STROKES = (
    Stroke("serve", 1.0, 2.0, 1.5, 0.9, "anna"),
    Stroke("smash", 3.0, 4.0, 3.6, 0.5, "bert"),
    Stroke("backhand", 5.0, 6.0, None, 0.7, "anna"),
    Stroke("backhand", 7.0, 8.0, 7.4, 0.6, "anna"),
)
"""The most uncertain come first: numbers 2, 4, 3 and 1."""

NUM = 50
LABELS = [("forehand", "backhand")[number % 2] for number in range(NUM)]


@pytest.fixture
def desk(tmp_path):
    """Opens the page of a match; nothing of the server stays."""
    desks = []

    def open_(*analyses, name="marks.csv"):
        desks.append(Desk(tmp_path / name, *analyses))
        return desks[-1]

    yield open_
    for each in desks:
        each.close()


@pytest.fixture
def match(tmp_path):
    return make_match(tmp_path / "match.mp4", STROKES, ("anna", "bert"))


@pytest.fixture
def open_page(visits):
    """Opens the page; afterwards its console must be silent and nothing but its server asked for."""

    def open_(url, **options):
        page = visits.open(url, **options)
        wait_for(page, "document.getElementById('done').textContent !== ''")
        return page

    yield open_
    visits.close()
    known = "status of (400|409)|readback operations"  # what the page explains itself, and what the tests do
    assert [text for text in visits.said if not re.search(known, text)] == []
    assert [url for url in visits.asked if not url.startswith((*visits.urls, "data:,"))] == []


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A match of fifty drawn swings that nobody has named."""
    return draw_match(tmp_path_factory.mktemp("drawn") / "match.mp4", LABELS)


def test_a_person_marks_fifty_strokes_by_keyboard_and_trains(desk, drawn, open_page):
    open_desk = desk(drawn)
    page = open_page(open_desk.url)
    begun_s = time.monotonic()
    for done in range(NUM):
        is_shown(page, "#done", f"{done} of {NUM} checked")
        truth = LABELS[number_of(page) - 1]
        names = page.locator("#classes .name").all_inner_texts()
        if truth in names:
            press(page, str(names.index(truth) + 1))
        else:  # a new class is typed once
            press(page, "c")
            page.keyboard.type(truth)
            press(page, "Enter")
    is_shown(page, "#done", f"{NUM} of {NUM} checked")
    assert time.monotonic() - begun_s < 60
    assert "All strokes of this video are checked" in page.inner_text("#task")
    starts = [round(stroke.start_s, 3) for stroke in drawn.strokes]
    rows = open_desk.rows()
    assert [round(start_s, 3) for start_s, _ in rows] == starts
    assert [label for _, label in rows] == LABELS
    press(page, "t")
    said(page, r"^Trained\. Learnt from \d+ marks\. .* \(95 % interval: \d+% to \d+%\)")
    assert page.locator("#curve circle").count() == 1
    assert re.search(r"\d+\s% after 50", page.get_attribute("#curve", "aria-label"))
    counts = dict(row.split() for row in page.locator("#counts tr").all_inner_texts())
    assert counts == {"forehand": "25", "backhand": "25"}


def test_uncertain_strokes_come_first_or_those_next_in_time(desk, match, open_page):
    open_desk = desk(match)
    page = open_page(open_desk.url)
    order = [number_of(page)]
    for _ in range(3):
        press(page, "n")
        order.append(number_of(page))
    assert order == [2, 4, 3, 1]
    press(page, "p")
    assert number_of(page) == 3
    press(page, "Enter")
    said(page, "Stroke 3 is backhand. 3 to check.")
    assert number_of(page) == 1  # what came after it
    press(page, "n")
    assert number_of(page) == 2  # and round again
    press(page, "o", "n")
    assert number_of(page) == 4  # by time, without the checked one
    press(page, "x")
    said(page, "Stroke 4 is no stroke. 2 to check.")
    assert number_of(page) == 1
    press(page, "ArrowDown", "ArrowDown")
    assert number_of(page) == 3
    assert page.inner_text("#status") == "accepted"
    assert open_desk.rows() == [(5.0, "backhand")]


def test_a_group_without_a_name_is_named_by_one_key(desk, tmp_path, open_page):
    strokes = [Stroke(letter, 2.0 * i, 2.0 * i + 1, player="anna") for i, letter in enumerate("ABAA")]
    open_desk = desk(make_match(tmp_path / "match.mp4", strokes, class_names=("A", "B"), remarks=(REMARK,)))
    page = open_page(open_desk.url)
    assert page.locator("#classes button").count() == 0
    is_shown(page, "#alike-word", "all 3 that are called A")
    is_shown(page, "#accept-word", "Name")
    press(page, "Enter")
    said(page, "A only says which strokes look alike. Type what they are")
    assert page.is_checked("#all-alike")
    assert len(open_desk.session.state(0)["order"]) == 4
    page.keyboard.type("forehand")
    press(page, "Enter")
    said(page, "3 strokes that were called A are called forehand")
    assert not page.is_checked("#all-alike")
    assert [text.split() for text in page.locator("#classes button").all_inner_texts()] == [
        ["F", "forehand", "1"]
    ]
    assert number_of(page) == 1
    assert len(open_desk.session.state(0)["order"]) == 4  # each is still to be checked
    press(page, "Enter")
    said(page, "Stroke 1 is forehand. 3 to check.")
    assert open_desk.rows() == [(0.0, "forehand")]
    press(page, "z", "z")
    is_shown(page, "#alike-word", "all 3 that are called A")


def test_every_correction_has_a_key(desk, match, open_page):
    open_desk = desk(match)
    page = open_page(open_desk.url)
    press(page, "l", "ArrowUp")  # no loop; the first stroke, shown at its contact
    assert number_of(page) == 1
    wait_for(page, "!document.getElementById('video').seeking")
    assert page.inner_text("#clock") == "0:01.50 / 0:10.00"
    press(page, "+")
    said(page, "Contact is 0:01.60")
    press(page, "Shift+Q", "-")
    said(page, "Start is 0:00.90")
    press(page, "Shift+ArrowRight", "ArrowRight", "ArrowRight", "e")
    said(page, "End is 0:02.10")
    press(page, "ArrowLeft", "w")
    said(page, "Contact is 0:02.00")
    press(page, "h", "v", "1")
    said(page, "Stroke 1 is serve")
    press(page, "ArrowUp", "ArrowUp", "ArrowUp")
    (record,) = read_manifest(open_desk.marks)
    times = (record.start_s, record.contact_s, record.end_s)
    assert np.allclose(times, (0.9, 2.0, 2.1), atol=1e-3)
    assert (record.hand, record.player, record.label) == ("right", "bert", "serve")
    press(page, "Shift+Q", "Shift+ArrowRight", "s")
    said(page, "Split in two")
    assert [round(start_s, 3) for start_s, _ in open_desk.rows()] == [0.9, 1.9]
    press(page, "m")
    said(page, "Merged")
    assert [round(start_s, 3) for start_s, _ in open_desk.rows()] == [0.9]
    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "a")
    said(page, "Added a stroke of bert")
    press(page, "4")
    said(page, "is smash")
    assert [label for _, label in open_desk.rows()] == ["serve", "smash"]
    press(page, "Shift+E", "q")
    said(page, "start|Start|Expected")


def test_undo_and_redo_go_through_all_changes(desk, match, open_page):
    open_desk = desk(match)
    page = open_page(open_desk.url)
    press(page, "z")
    said(page, "nothing to undo")
    press(page, "1", "2", "x")
    is_shown(page, "#done", "3 of 4 checked")
    assert open_desk.rows() == [(3.0, "serve"), (7.0, "forehand")]
    press(page, "z", "Control+z")
    is_shown(page, "#done", "1 of 4 checked")
    assert number_of(page) == 4  # what was undone is shown
    assert open_desk.rows() == [(3.0, "serve")]
    press(page, "y", "Control+Shift+Z")
    is_shown(page, "#done", "3 of 4 checked")
    said(page, "Done again. Stroke 3, .*no stroke")
    press(page, "z", "1")
    said(page, "Stroke 3 is serve")
    assert open_desk.rows() == [(3.0, "serve"), (5.0, "serve"), (7.0, "forehand")]
    assert page.is_disabled("#redo")


def test_a_second_window_sees_changes_and_overwrites_none(desk, match, open_page):
    open_desk = desk(match)
    one, other = open_page(open_desk.url), open_page(open_desk.url)
    press(one, "1")
    said(other, "Another window has changed 1 stroke")
    is_shown(other, "#done", "1 of 4 checked")
    one.evaluate("setTimeout = () => 0")  # a window that has not asked for news yet
    press(other, "n", "3")
    is_shown(other, "#done", "2 of 4 checked")
    before = open_desk.rows()
    press(one, "2")
    said(one, "Another window has changed this video")
    assert one.locator("#said.wrong").count() == 1
    assert open_desk.rows() == before
    is_shown(one, "#done", "2 of 4 checked")
    press(one, "2")  # the other's decision is known now
    said(one, "Stroke 4 is forehand")
    assert open_desk.rows() == [*before[:-1], (7.0, "forehand")]


def test_several_videos_share_classes_and_each_keeps_its_marks(desk, match, tmp_path, open_page):
    second = make_match(
        tmp_path / "second.mp4", [Stroke("lob", 1, 2, player="cleo")], ("cleo",), ("lob",), 5.0
    )
    open_desk = desk(match, second, unmarked(film(tmp_path / "third.mp4", 3.0)))
    page = open_page(open_desk.url)
    names = page.locator("#classes .name").all_inner_texts()
    assert names[-1] == "lob"
    press(page, "1", "PageDown")
    is_shown(page, "#name", "second.mp4")
    assert page.locator("#classes .name").all_inner_texts() == names
    press(page, str(len(names)))
    is_shown(page, "#done", "1 of 1 checked")
    assert "[PageDown] opens" not in page.inner_text("#task")
    assert "PageDown opens the next video" in page.inner_text("#task")
    press(page, "PageDown")
    is_shown(page, "#name", "third.mp4")
    assert "press A to add the stroke" in page.inner_text("#task")
    page.select_option("#videos", "0")
    is_shown(page, "#name", "match.mp4")
    is_shown(page, "#done", "1 of 4 checked")
    press(page, "n")
    where = number_of(page)
    page.reload()
    is_shown(page, "#done", "1 of 4 checked")
    assert number_of(page) == where
    assert [(record.path.name, record.label) for record in read_manifest(open_desk.marks)] == [
        ("match.mp4", "serve"),
        ("second.mp4", "lob"),
    ]


def test_the_video_plays_in_a_loop_and_steps_by_frames(desk, match, open_page):
    page = open_page(desk(match).url)
    wait_for(page, "!document.getElementById('video').paused")
    page.evaluate("document.getElementById('video').playbackRate = 4")
    seen = set()
    for _ in range(40):
        page.wait_for_timeout(40)
        seen.add(page.evaluate("document.getElementById('video').currentTime"))
    assert min(seen) > 2.6
    assert max(seen) < 4.6  # the stroke is from 3 to 4 s
    assert sum(late < early for early, late in zip(sorted(seen), seen, strict=True)) >= 1
    press(page, " ")
    wait_for(page, "document.getElementById('video').paused")
    before = page.inner_text("#clock")
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    wait_for(page, "!document.getElementById('video').seeking")
    tenth = [float(text.split(" ")[0][2:]) for text in (before, page.inner_text("#clock"))]
    assert abs(tenth[1] - tenth[0]) < 0.11


def test_a_mark_whose_manifest_can_not_be_written_is_shown(desk, match, open_page):
    open_desk = desk(match)
    page = open_page(open_desk.url)
    press(page, "1")
    is_shown(page, "#done", "1 of 4 checked")
    page.evaluate("setTimeout = () => 0")  # a window that asks for news once more and then never
    page.wait_for_timeout(2000)
    open_desk.marks.write_text("mine")
    press(page, "n", "1")
    said(page, "the marks are saved in its log")
    is_shown(page, "#done", "2 of 4 checked")
    open_desk.marks.unlink()
    press(page, "n", "x")
    said(page, "is no stroke")
    assert len(open_desk.rows()) == 2


def test_a_mark_made_while_a_training_ends_counts(desk, drawn, open_page):
    open_desk = desk(drawn)
    for number in range(8):
        action = {"kind": "accept", "mark": number + 1, "label": LABELS[number]}
        open_desk.session.apply(0, action, number)
    page = open_page(open_desk.url)
    page.evaluate("setTimeout = () => 0")  # a window that has not asked for news yet
    open_desk.session.train()
    press(page, "x")
    said(page, "is no stroke")
    is_shown(page, "#done", f"9 of {NUM} checked")
    open_desk.session.train()
    press(page, "g")  # but the name of a group is another one now
    page.keyboard.type("lob")
    press(page, "Enter")
    said(page, "A training has just named the strokes anew. This is shown now, and your change was not made")


@pytest.mark.parametrize("is_flat", [False, True], ids=["all", "COCO"])
def test_the_skeleton_is_drawn_where_the_joints_are(desk, drawn, open_page, is_flat):
    drawn = flatten(drawn) if is_flat else drawn
    poses = drawn.motion.poses.copy()
    points = np.random.default_rng(0).uniform([10, 4], [30, 28], (33, 2))
    poses[..., POINTS] = np.where(np.isnan(poses[..., POINTS]), np.nan, points)
    page = open_page(desk(replace(drawn, motion=drawn.motion._replace(poses=poses))).url)
    box = """(() => { const c = document.getElementById('skeleton');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let x0 = 1, x1 = 0;
        for (let i = 3; i < d.length; i += 4) if (d[i]) { const x = (i >> 2) % c.width / c.width;
            x0 = Math.min(x0, x); x1 = Math.max(x1, x); } return [x0, x1]; })()"""
    assert page.evaluate(box) == [1, 0]
    press(page, "j")
    wait_for(page, f"{box}[0] < 1")
    _, right = page.evaluate(box)
    assert right < 0.55  # the joints are in the left half of the picture
    press(page, "j")
    wait_for(page, f"{box}[0] === 1")


def test_strange_names_stay_text(desk, tmp_path, open_page):
    strokes = [Stroke(name, 1 + 2 * i, 2 + 2 * i, player=HOSTILE[0]) for i, name in enumerate(HOSTILE[:3])]
    analysis = make_match(tmp_path / "<b>&.mp4", strokes, (HOSTILE[0], "'"), HOSTILE[:3])
    page = open_page(desk(analysis).url, color_scheme="dark")
    assert page.title() == "<b>&.mp4: label strokes"
    assert page.locator("#classes .name").all_text_contents() == list(HOSTILE[:3])
    assert page.locator("script").count() == 2
    press(page, "c")
    page.keyboard.type("<img src=x>")
    press(page, "Enter")
    said(page, "is <img src=x>")
    assert page.locator("img").count() == 0
    press(page, "z")
    press(page, "c")
    page.keyboard.type("idle")
    press(page, "Enter")
    said(page, "other than 'idle'")
    assert page.locator("#said.wrong").count() == 1


def test_a_keyboard_and_a_screen_reader_reach_everything(desk, match, open_page):
    open_desk = desk(match)
    page = open_page(open_desk.url, width=1280)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.set_viewport_size({"width": 1024, "height": 768})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    press(page, "?")
    assert page.is_visible("#keys")
    press(page, "1", "x")  # not for the strokes
    press(page, "Escape")
    assert not page.is_visible("#keys")
    is_shown(page, "#done", "0 of 4 checked")
    reached = []
    for _ in range(80):
        press(page, "Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert reached[-1].strip() == "" or width == "3px", reached[-1]
    wanted = {
        "help",
        "play",
        "back",
        "speed",
        "loop",
        "class-name",
        "accept",
        "reject",
        "next",
        "order",
        "player",
    }
    assert (wanted | {"hand", "train", "scroller", "add", "split", "merge", "rows", "shown"}) <= set(reached)
    page.focus("#accept")
    press(page, "Enter")  # the button, once
    is_shown(page, "#done", "1 of 4 checked")
    page.focus("#reject")
    press(page, " ")  # the button, and the video does not start
    is_shown(page, "#done", "2 of 4 checked")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, video, svg[role], [role=slider]')].filter("
        "(e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert unnamed == []
    assert page.get_attribute("#said", "role") == "status"
    assert "Stroke" in page.get_attribute("#scroller", "aria-valuetext")


def test_edges_are_dragged_and_strokes_clicked(desk, match, open_page):
    open_desk = desk(match)
    page = open_page(open_desk.url)
    press(page, "l", "ArrowUp")
    scale = page.evaluate("document.getElementById('spacer').clientWidth") / 10
    box = page.locator("#lanes").bounding_box()
    y = box["y"] + 22 + 14 + 15

    def x(time_s):
        return box["x"] + scale * time_s - page.evaluate("document.getElementById('scroller').scrollLeft")

    page.mouse.move(x(2.0), y)
    page.mouse.down()
    page.mouse.move(x(2.2), y, steps=3)
    page.mouse.move(x(2.4), y, steps=3)
    page.mouse.up()
    said(page, "End is 0:02.40")
    page.mouse.click(x(5.5), y)
    assert number_of(page) == 3
    page.mouse.click(x(4.5), y)
    wait_for(page, "Math.abs(document.getElementById('video').currentTime - 4.5) < 0.2")
    page.locator("#rows tbody button").nth(1).click()
    assert number_of(page) == 2
    press(page, "1")  # the button that was clicked does not keep the keys
    is_shown(page, "#done", "1 of 4 checked")


@pytest.mark.parametrize(("name", "codec"), [("old.avi", "mpeg4"), ("new.mkv", "libx264")])
def test_a_video_that_browsers_do_not_play_is_converted(desk, tmp_path, open_page, name, codec):
    frames = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    write_video(tmp_path / "drawn.mp4", frames, fps=10)
    encode(tmp_path / "drawn.mp4", tmp_path / name, codec)
    page = open_page(desk(unmarked(tmp_path / name)).url)
    wait_for(page, "document.getElementById('video').duration > 2.8")
    assert page.get_attribute("#video", "src").endswith("converted") is (codec == "mpeg4")
    assert not page.is_visible("#unplayable")


def encode(source, out, codec):
    import av

    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        stream = new.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(format="yuv420p")))
        new.mux(stream.encode())


def test_only_the_page_itself_changes_marks(desk, match):
    open_desk = desk(match)
    url, body = open_desk.url, {"video": 0, "revision": 0, "action": {"kind": "reject", "mark": 1}}
    headers = own(url)
    for wrong in (headers | {"Origin": "http://evil.example"}, {"Content_Type": "application/json"}):
        for path in ("/apply", "/train", "/convert"):
            assert ask(url, path, "POST", body, **wrong)[0] == 403
    assert ask(url, "/apply", "POST", body, **headers | {"Content_Type": "text/plain"})[0] == 415
    for path in ("/", "/state/0", "/video/0", "/joints/0?start=0&end=1"):
        assert ask(url, path, Host="evil.example")[0] == 421
    for path in ("/apply", "/train", "/convert"):
        assert ask(url, path, **headers)[0] == 405
    assert open_desk.session.state(0)["revision"] == 0
    status, _, answer = ask(url, "/apply", "POST", body, **headers)
    assert status == 200
    assert json.loads(answer)["revision"] == 1
    assert ask(url, "/apply", "POST", body, **headers)[0] == 409
    for wrong in (
        {"video": 7},
        {"video": True},
        {"revision": "1"},
        {"action": []},
        {"action": {"kind": "fly"}},
    ):
        assert ask(url, "/apply", "POST", body | {"revision": 1} | wrong, **headers)[0] in (400, 404), wrong


def test_the_video_is_served_in_ranges_and_no_other_file(desk, match, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    url, content = desk(match).url, match.video.read_bytes()
    status, headers, found = ask(url, "/video/0", Range="bytes=10-19")
    assert (status, found) == (206, content[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert headers["Content-Type"] == "video/mp4"
    assert ask(url, "/video/0", Range="bytes=-5")[2] == content[-5:]
    assert ask(url, "/video/0", Range=f"bytes={len(content)}-")[0] == 416
    status, headers, found = ask(url, "/video/0")
    assert (status, found, headers["Accept-Ranges"]) == (200, content, "bytes")
    assert ask(url, "/video/0?converted")[0] == 404
    for path in (
        "1",
        "-1",
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "0/../../secret.txt",
        "match.mp4",
    ):
        status, _, found = ask(url, f"/video/{path}")
        assert status == 404, path
        assert b"secret" not in found
    match.video.unlink()
    assert ask(url, "/video/0")[0] == 404


def test_joints_come_in_pieces(desk, drawn):
    url = desk(drawn).url
    status, _, found = ask(url, "/joints/0?start=1&end=1.5")
    joints = json.loads(found)
    assert status == 200
    assert len(joints["times"]) == len(joints["players"][0]) == round(0.5 * 30)
    assert len(joints["players"][0][0]) == 16
    assert json.loads(ask(url, "/joints/0?start=0&end=1e9")[2])["times"][-1] < 21
    for query in ("", "?start=0", "?start=x&end=1", "?start=nan&end=1"):
        assert ask(url, f"/joints/0{query}")[0] in (200, 400), query
