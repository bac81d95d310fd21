"""The report page of a match, in a real browser."""

import base64
import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages import HOSTILE, wait_for

from tt_actions.clips.strokes import Stroke
from tt_actions.match.key_frames import MAX_BYTES
from tt_actions.match.report_page import MAX_FRAME_BYTES, render_report_page, write_report_page
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion, write_analysis
from tt_actions.video.encoder import write_video

CLASSES = ("serve", "forehand", "backhand", "smash")


def play(duration_s=40.0, players=("left", "right"), names=CLASSES, fps=25, name="match.mp4"):
    """A match in which the players take turns, eight strokes a rally, each class after the one before."""
    strokes = []
    probabilities = np.zeros((len(players), int(duration_s * fps), len(names) + 1), np.float32)
    probabilities[..., -1] = 1
    for number in range(int(duration_s / 1.25)):
        start_s = number * 1.25 + 4 * (number // 8)
        if start_s + 1 > duration_s:
            break
        label, player = number % len(names), number % len(players)
        confidence = 0.5 + 0.49 * (number % 7) / 6
        stroke = Stroke(names[label], start_s, start_s + 0.8, start_s + 0.4321, confidence, players[player])
        strokes.append(stroke)
        inside = slice(int(start_s * fps), int((start_s + 0.8) * fps))
        probabilities[player, inside, label] = confidence
        probabilities[player, inside, -1] = 1 - confidence
    times_s = np.arange(probabilities.shape[1]) / fps
    frame_classes = (*names, "idle")
    return MatchAnalysis(
        Path(name),
        duration_s,
        tuple(names),
        tuple(players),
        tuple(strokes),
        frame_classes,
        times_s,
        probabilities,
    )


def embedded(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])


@pytest.fixture(scope="module")
def match(tmp_path_factory):
    """A folder with the report of a match of two players, its video and its files."""
    folder = tmp_path_factory.mktemp("match")
    found = play()
    write_analysis(folder, found)
    frames = (np.full((48, 64, 3), 5 * number, np.uint8) for number in range(40))
    write_video(folder / "annotated.mp4", frames, fps=1)
    write_report_page(folder, found, "annotated.mp4")
    return folder, found


def test_a_click_on_the_timeline_seeks_and_marks_the_row(match, open_page):
    folder, found = match
    page = open_page(folder)
    wait_for(page, "video.readyState >= 1")
    stroke = found.strokes[4]
    page.click("#lanes", position={"x": 40 * (stroke.start_s + 0.2), "y": 22 + 30})  # 40 pixels a second
    wait_for(page, "!video.seeking")
    assert page.evaluate("video.currentTime") == pytest.approx(stroke.start_s, abs=1e-3)
    assert page.locator("tr.chosen").get_attribute("data-number") == "4"
    assert page.inner_text("#now").startswith("No. 5: serve, left, 0:05.00 to 0:05.80, confidence 83")
    assert page.locator("#strip svg.curve").count() == 2
    assert page.locator("#strip .peak").all_inner_texts() == ["100\u00a0%", "83\u00a0%"]  # idle, serve
    page.click("#lanes", position={"x": 40 * 4.0, "y": 22 + 40})  # nothing is played there
    wait_for(page, "Math.abs(video.currentTime - 4) < 0.1")
    page.click("tr[data-number='2'] td:nth-child(4)")
    wait_for(page, "video.currentTime === 2.5")
    page.click("#play")
    wait_for(page, "video.paused && video.currentTime >= 3.3")  # the stroke's end
    assert page.evaluate("video.currentTime") < 4
    assert page.locator("#lost").is_hidden()


def test_the_keyboard_goes_through_the_strokes(match, open_page):
    folder, found = match
    page = open_page(folder)
    page.focus("#scroller")
    for key, number in (
        ("ArrowRight", 0),
        ("ArrowRight", 1),
        ("ArrowLeft", 0),
        ("End", len(found.strokes) - 1),
    ):
        page.keyboard.press(key)
        assert page.locator("tr.chosen").get_attribute("data-number") == str(number)
        assert page.get_attribute("#scroller", "aria-valuenow") == str(number + 1)
    assert page.get_attribute("#scroller", "aria-valuetext").startswith(f"No. {len(found.strokes)}: ")
    width = page.evaluate("spacer.offsetWidth")
    page.keyboard.press("+")
    assert page.evaluate("spacer.offsetWidth") == 2 * width
    page.click("#whole")
    assert page.evaluate("scroller.scrollWidth <= scroller.clientWidth")
    page.focus("tr.chosen button")
    page.keyboard.press("ArrowUp")
    assert page.locator("tr.chosen").get_attribute("data-number") == str(len(found.strokes) - 2)
    assert page.evaluate("document.activeElement.closest('tr').className") == "chosen"


def test_the_table_sorts_filters_and_downloads(match, open_page):
    folder, found = match
    page = open_page(folder)

    def column(number):
        return page.locator(f"#table tbody td:nth-child({number})").all_inner_texts()

    def download():
        with page.expect_download() as started:
            page.click("#download")
        assert started.value.suggested_filename == "strokes.csv"
        return Path(started.value.path()).read_bytes()

    expected = [str(number + 1) for number in range(len(found.strokes))]
    assert column(1) == expected
    assert download() == (folder / "strokes.csv").read_bytes()
    for key, place in (("confidence", 4), ("label", 3), ("player", 7)):
        heading = page.locator(f"th[data-key='{key}']")
        for direction in ("ascending", "descending"):
            heading.locator("button").click()
            assert heading.get_attribute("aria-sort") == direction
            values = [
                text if key != "confidence" else int(re.match(r"\d+", text)[0]) for text in column(place)
            ]
            assert values == sorted(values, reverse=direction == "descending")
    page.click("th[data-key='number'] button")
    page.select_option("#by-player", label="right")
    page.select_option("#by-class", label="forehand")
    wanted = [stroke for stroke in found.strokes if (stroke.player, stroke.label) == ("right", "forehand")]
    assert len(column(1)) == len(wanted)
    assert f"{len(wanted)} of {len(found.strokes)} strokes" in page.inner_text("#shown")
    rows = list(csv.reader(io.StringIO(download().decode())))
    assert [float(row[0]) for row in rows[1:]] == [stroke.start_s for stroke in wanted]
    page.check("#only-unsure")
    assert len(column(1)) == sum(stroke.confidence < 0.6 for stroke in wanted)


@pytest.mark.parametrize("kind", ["match", "many classes", "nothing"])
def test_a_phone_needs_no_sideways_scroll(match, open_page, tmp_path, kind):
    folder, _ = match
    if kind != "match":
        names = [f"a_technique_of_{number}_with_a_long_name_that_never_ends" for number in range(30)]
        found = play(players=("x" * 70,), names=names, name=f"{'long' * 40}.mp4")
        folder = tmp_path
        write_report_page(folder, found if kind == "many classes" else replace(found, strokes=()), None)
    page = open_page(folder, width=375, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.locator("video").count() == (kind == "match")


def test_strange_names_stay_text(open_page, tmp_path):
    found = play(names=HOSTILE, players=("]]><!--<script>", "<b>'\"&lt;"), name="<i>a&lt;\udcff.mp4")
    write_analysis(tmp_path, found)
    write_report_page(tmp_path, found, None)
    page = open_page(tmp_path)
    assert page.title() == "<i>a&lt;?.mp4: strokes"
    assert page.inner_text("h1") == "<i>a&lt;?.mp4"
    assert page.locator("img, h1 i, b").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator("#table tbody tr:nth-child(1) .cut").all_text_contents() == [
        HOSTILE[0],
        "]]><!--<script>",
    ]
    assert page.locator("#by-class option").all_text_contents()[1:] == list(HOSTILE)
    with page.expect_download() as started:
        page.click("#download")
    assert Path(started.value.path()).read_bytes() == (tmp_path / "strokes.csv").read_bytes()


def test_long_match_shows_a_part_of_its_rows_and_prints_all(open_page, tmp_path):
    write_report_page(tmp_path, play(duration_s=600.0), None)
    page = open_page(tmp_path)
    assert page.locator("#table tbody tr").count() == 200
    page.click("#forward")
    assert page.locator("#table tbody td").first.inner_text() == "201"
    page.focus("#scroller")
    page.keyboard.press("ArrowRight")
    assert page.locator("#table tbody td").first.inner_text() == "1"
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) > 5
    assert page.locator("#printed svg").count() == 10  # a minute each
    assert page.locator("#table tbody tr").count() == 200


def test_a_phone_shows_technique_and_confidence_without_scrolling(match, open_page):
    page = open_page(match[0], width=390)
    box = page.locator("#rows").bounding_box()
    for key in ("number", "start", "label", "confidence"):
        heading = page.locator(f"th[data-key='{key}']").bounding_box()
        assert heading["x"] + heading["width"] <= box["x"] + box["width"]
    right = [tile.bounding_box() for tile in page.locator(".tiles div").all()]
    assert len({round(tile["width"]) for tile in right}) == 1  # no row of tiles is shorter


def test_a_video_that_is_gone_is_told(open_page, match, tmp_path):
    page_file = tmp_path / "report.html"
    shutil.copy(match[0] / "report.html", page_file)
    page = open_page(tmp_path)
    page.wait_for_selector("#lost")
    assert page.locator("#video").is_hidden()
    write_report_page(tmp_path, match[1], "annotated.mp4")
    assert "<video" not in page_file.read_text(encoding="utf-8")
    assert "This page has no video." in page_file.read_text(encoding="utf-8")


def test_probabilities_near_the_strokes_are_kept():
    found = play()
    data = embedded(render_report_page(found, None))
    for player, frames in enumerate(data["frames"]):
        times_s = np.frombuffer(base64.b64decode(frames["times"]), "<u4") / 1000
        levels = np.frombuffer(base64.b64decode(frames["levels"]), np.uint8).reshape(len(times_s), -1)
        near = np.zeros(len(found.times_s), bool)
        for stroke in found.strokes:
            if stroke.player == found.players[player]:
                near |= (found.times_s >= stroke.start_s - 0.5) & (found.times_s < stroke.end_s + 0.5)
        np.testing.assert_allclose(times_s, found.times_s[near], atol=5e-4)
        np.testing.assert_allclose(levels / 255, found.probabilities[player, near], atol=0.5 / 255 + 1e-6)
    assert data["strokes"][1] == [1.25, 1.682, 2.05, 1, 0.5817, 1]


def test_pages_stay_small():
    ten_minutes = render_report_page(play(600.0, fps=30), None)
    assert len(ten_minutes) < 1_000_000
    hours = play(3 * 3600.0, fps=30)
    page = render_report_page(hours, None)
    assert len(hours.strokes) > 6000
    assert len(page) < 4 / 3 * MAX_FRAME_BYTES + 1_500_000
    assert "one of every 2 frames" in page
    speed = np.random.default_rng(0).uniform(0, 9, (2, len(hours.times_s))).astype(np.float32)
    motion = PlayerMotion(np.zeros((2, 0, 33, 6)), speed, np.zeros(len(hours.times_s), bool), 4.0)
    with_speed = render_report_page(replace(hours, motion=motion), None)
    assert len(page) < len(with_speed) < len(page) + 205_000
    assert len(with_speed) + 4 / 3 * MAX_BYTES < 5_200_000


@pytest.mark.parametrize("players", [("player",), ("left", "right")])
@pytest.mark.parametrize("names", [CLASSES, [f"class {number}" for number in range(70)]])
def test_every_class_has_its_own_code(players, names):
    data = embedded(render_report_page(play(players=players, names=names), None))
    codes = [style["code"] for style in data["classes"]]
    assert len(set(codes)) == len(names)


def test_one_stroke_at_time_zero_without_frames_or_confidence():
    stroke = Stroke("serve", 0.0, 0.5, player="player")
    found = MatchAnalysis(
        Path("a.mp4"), 0.5, ("serve",), ("player",), (stroke,), ("serve",), np.zeros(0), np.zeros((1, 0, 1))
    )
    page = render_report_page(found, None)
    assert "1 stroke in 0 s" in page
    assert "Stroke sequences" not in page


def test_the_page_names_the_command_that_corrects_its_strokes(tmp_path, open_page):
    write_video(tmp_path / "match.mp4", np.zeros((4, 16, 16, 3), np.uint8), fps=10)
    analysis = replace(play(4.0), video=tmp_path / "match.mp4")
    for name, quoted in (("out", "{}"), ("Anna's match 1", "'{}'")):
        folder = tmp_path / name
        folder.mkdir()
        write_report_page(folder, analysis)
        path = str(folder).replace("'", "'\\''")
        assert open_page(folder).inner_text("#correct") == f"tt-actions label --from {quoted.format(path)}"
    write_report_page(folder, replace(analysis, video=Path("camera 0")))
    assert open_page(folder).locator("#correct").count() == 0
