"""A match of drawn players, analysed by a model of joints on the command line."""

import json
import re

import numpy as np
import pytest
from pages import wait_for

from tt_actions.main import main
from tt_actions.match.results_folder import RESULT_FILES
from tt_actions.skeleton.layouts import BLAZEPOSE33, NTU25
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames


def analyze(*words):
    with pytest.raises(SystemExit) as end:
        main(["analyze", *map(str, words)])
    assert end.value.code == 0


@pytest.fixture
def analyze_frames(joint_checkpoint, tmp_path):
    """Write frames as a video and analyse it without drawing; the result folder."""

    def analyse(frames, *options, fps=30):
        write_video(tmp_path / "match.mp4", frames, fps=fps)
        out = tmp_path / "out"
        analyze(
            tmp_path / "match.mp4", "--checkpoint", joint_checkpoint, "--out", out, "--no-video", *options
        )
        return out

    return analyse


def test_the_folder_holds_the_joints(joint_results, joint_film):
    folder, found = joint_results
    assert {path.name for path in folder.iterdir()} == set(RESULT_FILES)
    truth = np.load(joint_film / "truth.npz")["joints_2d"]
    with np.load(folder / "joints.npz") as joints:
        assert joints["players"].tolist() == ["player"]
        assert joints["landmarks"].tolist() == list(BLAZEPOSE33.joints)
        num = len(joints["times_s"])
        assert num == len(truth)
        assert joints["points"].shape == (1, num, 33, 2)
        assert joints["world"].shape == (1, num, 33, 3)
        assert joints["hand_speed"].shape == joints["visibility"].shape[:2] == (1, num)
        wrist = joints["points"][0, :, BLAZEPOSE33.index("right_wrist")]
    assert np.nanmedian(np.linalg.norm(wrist - truth[:, NTU25.index("right_wrist")], axis=1)) < 8
    assert (folder / "joints.npz").stat().st_size < 600 * num
    assert len(found.strokes) >= 3


def test_a_folder_with_joints_is_replaced_by_new_results(
    joint_results, joint_checkpoint, joint_film, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("joints.npz", "strokes.csv"):
        (out / name).write_bytes((joint_results[0] / name).read_bytes())
    write_video(tmp_path / "short.mp4", read_frames(joint_film / "match.mp4", end_s=0.2).values, fps=30)
    analyze(tmp_path / "short.mp4", "--checkpoint", joint_checkpoint, "--out", out, "--no-video")
    assert len(np.load(out / "joints.npz")["times_s"]) == 6


def test_the_skeleton_is_drawn_unless_it_is_not_wanted(analyze_frames, joint_results, joint_film):
    def pictures(folder):
        page = (folder / "report.html").read_text("utf-8")
        found = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])
        return found["pictures"]["strokes"]

    shown = read_frames(joint_film / "match.mp4", start_s=2.8, end_s=5.0).values
    drawn, plain = pictures(analyze_frames(shown)), pictures(analyze_frames(shown, "--no-skeleton"))
    assert drawn.keys() == plain.keys() != set()
    assert [time_s for time_s, _ in drawn["0"]] == [time_s for time_s, _ in plain["0"]]
    assert drawn["0"][0][1] != plain["0"][0][1]
    whole = read_frames(joint_results[0] / "annotated.mp4").values
    assert whole[40].max(-1).astype(int)[60:180].max() > 240  # white lines


def test_why_there_is_no_stroke_is_told(analyze_frames, joint_film, capsys):
    still = read_frames(joint_film / "match.mp4", end_s=0.05).values[:1]
    out = analyze_frames(np.repeat(still, 60, 0))
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"No hand moved fast enough for a stroke: the fastest reached \d+\.\d trunk", told)
    assert "No strokes found in 2 s." in told
    assert "No hand moved fast enough" in (out / "report.html").read_text("utf-8")


def test_a_video_without_a_player_says_so(analyze_frames, capsys):
    analyze_frames(np.full((20, 120, 160, 3), 90, np.uint8), fps=20)
    told = " ".join(capsys.readouterr().out.split())
    assert "player is not found in the video" in told
    assert "The video has 20 images per second" in told
    assert "No hand moved" not in told


def test_the_page_shows_pictures_and_the_speed(joint_results, open_page):
    folder, found = joint_results
    page = open_page(folder)
    wait_for(page, "video.readyState >= 1")
    assert page.locator("#pictures img").count() == 0
    page.focus("#scroller")
    page.keyboard.press("ArrowRight")
    assert page.locator("#pictures img").count() == 3
    wait_for(page, "[...document.querySelectorAll('#pictures img')].every(i => i.naturalHeight === 160)")
    captions = page.locator("#pictures figcaption").all_inner_texts()
    assert [text.split("\n")[0] for text in captions] == ["Backswing", "Contact", "Follow-through"]
    page.locator("#pictures button").nth(1).click()
    wait_for(page, f"Math.abs(video.currentTime - {found.strokes[0].contact_s}) < 1e-2")
    data = json.loads(page.inner_text("#data") or page.locator("#data").text_content())
    assert data["speed"]["top"] == pytest.approx(np.nanmax(found.motion.hand_speed), abs=1e-3)
    assert curve_heights(page).max() > 20


def curve_heights(page):
    """How far the curve rises above the bottom of the first lane, in each column of pixels."""
    is_curve = np.array(
        page.evaluate(
            """() => { const c = lanes.getContext('2d'), w = lanes.width, h = 52 * devicePixelRatio;
            const d = c.getImageData(0, lanes.height - h, w, h).data, rows = [];
            for (let y = 0; y < h; y++) { const row = [];
              for (let x = 0; x < w; x++) { const i = 4 * (y * w + x); row.push(d[i + 2] - d[i] > 90); }
              rows.push(row); } return rows; }"""
        )
    )
    return np.where(is_curve.any(0), is_curve.shape[0] - is_curve.argmax(0), 0)


def test_a_match_without_strokes_shows_the_speed(analyze_frames, joint_film, open_page):
    still = read_frames(joint_film / "match.mp4", end_s=0.05).values[:1]
    page = open_page(analyze_frames(np.repeat(still, 60, 0)))
    assert page.locator("#scroller").is_visible()
    assert page.locator("#table").is_hidden()
    assert page.locator(".now").is_hidden()
    page.focus("#scroller")
    for key in ("ArrowRight", "End", "Enter", "+"):
        page.keyboard.press(key)
    assert (curve_heights(page) > 0).mean() > 0.5
