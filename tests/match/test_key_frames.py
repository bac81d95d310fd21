"""Pictures of strokes: of the right moment, at the right place, and few enough."""

import base64

import cv2
import numpy as np
import pytest
from joint_match import move

from tt_actions.clips.strokes import Stroke
from tt_actions.match import key_frames as module
from tt_actions.match.key_frames import HEIGHT, MAX_STROKES, KeyFrames, choose_strokes, embed_pictures
from tt_actions.match.overlay import write_annotated
from tt_actions.match.report_page import render_report_page
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.swings import find_moments
from tt_actions.video.encoder import write_video


def strokes_of(number, every_s=1.0):
    return [
        Stroke("serve", n * every_s, n * every_s + 0.9, n * every_s + 0.5, 0.6 + 0.3 * (n % 7) / 6, "player")
        for n in range(number)
    ]


def swing_often(seconds, fps=30):
    """A hand that is fast in the middle of every second."""
    times_s = np.arange(round(seconds * fps)) / fps
    return [np.cumsum(np.exp(-(((times_s % 1 - 0.5) / 0.15) ** 2))) / 4 % 1]


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    """A video at 60 frames per second whose grey level is the number of the frame."""
    video = tmp_path_factory.mktemp("counting") / "match.mp4"
    write_video(video, (np.full((240, 320, 3), 20 + number, np.uint8) for number in range(180)), 60, crf=1)
    return video


def opened(picture):
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_pictures_show_the_frames_of_their_moments(counting):
    found = move(swing_often(3), strokes=strokes_of(3), video=counting)
    taken = KeyFrames(found, has_skeletons=False)
    taken.take()
    assert sorted(taken.pictures) == [0, 1, 2]
    for number, pictures in taken.pictures.items():
        moments = find_moments(found.strokes[number], found.times_s, found.motion.hand_speed[0])
        assert [picture.time_s for picture in pictures] == list(moments)
        assert moments.backswing_s < moments.contact_s < moments.follow_through_s
        for picture in pictures:
            image = opened(picture)
            assert image.shape[0] == HEIGHT
            assert image.mean() == pytest.approx(20 + round(60 * picture.time_s), abs=1)


def test_the_annotated_video_and_a_pass_of_its_own_give_the_same_pictures(counting, tmp_path):
    found = move(swing_often(3), strokes=strokes_of(3), video=counting)
    alone, beside = KeyFrames(found), KeyFrames(found)
    alone.take()
    write_annotated(tmp_path / "out.mp4", found, [PlayerTrack("player", None)], key_frames=beside)
    assert alone.pictures == beside.pictures
    plain = KeyFrames(found, has_skeletons=False)
    plain.take()
    assert np.abs(opened(alone.pictures[0][0]).astype(int) - opened(plain.pictures[0][0])).max() > 100


def test_a_picture_contains_the_player(joint_results):
    _, found = joint_results
    taken = KeyFrames(found)
    taken.take()
    assert sorted(taken.pictures) == list(range(len(found.strokes)))
    for pictures in taken.pictures.values():
        assert len(pictures) == 3
        for picture in pictures:
            white = (opened(picture) > 225).all(-1)  # the skeleton
            rows, columns = np.flatnonzero(white.any(1)), np.flatnonzero(white.any(0))
            assert np.ptp(rows) > 0.5 * HEIGHT
            assert abs(rows.mean() - HEIGHT / 2) < 0.2 * HEIGHT
            assert abs(columns.mean() - white.shape[1] / 2) < 0.3 * white.shape[1]


def test_a_stroke_of_a_lost_player_has_no_pictures(counting):
    hands = swing_often(3)
    hands[0][32:58] = np.nan
    taken = KeyFrames(move(hands, strokes=strokes_of(3), video=counting))
    taken.take()
    assert sorted(taken.pictures) == [0, 2]
    assert "not found" in embed_pictures(taken)["missing"]
    assert embed_pictures(taken)["note"] == ""


def test_the_least_certain_and_an_even_spread_are_chosen():
    strokes = strokes_of(1000)
    chosen = choose_strokes(strokes, range(1000), MAX_STROKES)
    assert len(chosen) == MAX_STROKES
    assert chosen == sorted(set(chosen))
    doubtful = {number for number in chosen if strokes[number].confidence == 0.6}
    assert len(doubtful) >= MAX_STROKES // 2
    others = [number for number in chosen if number not in doubtful]
    assert np.diff([0, *others, 999]).max() < 30


def test_pictures_fit_their_room_and_the_page_says_so(counting, monkeypatch):
    found = move(swing_often(3), strokes=strokes_of(3), video=counting)
    taken = KeyFrames(found)
    taken.take()
    sizes = {number: sum(len(p.jpeg) for p in pictures) for number, pictures in taken.pictures.items()}
    assert "strokes have pictures" not in render_report_page(found, None, taken)
    monkeypatch.setattr(module, "MAX_BYTES", sum(sizes.values()) - 1)
    page = render_report_page(found, None, taken)
    assert "To keep this page small, 2 strokes have pictures: the least certain, and an even spread" in page
    kept = embed_pictures(taken)["strokes"]
    assert 0 in kept  # the least certain
    assert sum(len(base64.b64decode(jpeg)) for own in kept.values() for _, jpeg in own) <= module.MAX_BYTES
