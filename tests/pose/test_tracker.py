import numpy as np
import pytest

from tt_actions.pose.video import POINTS, find_poses, iter_poses
from tt_actions.skeleton.layouts import BLAZEPOSE33, NTU25
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

GREY = 90


class Drawn:
    """A drawn player who fills the height of the pictures, and the true middle of the hips."""

    def __init__(self, video):
        truth = np.load(video.with_suffix(".npz"))["joints_2d"]
        hips = truth[:, [NTU25.index(f"{side}_hip") for side in ("left", "right")]].mean(1)
        left = int(np.clip(hips[:, 0].mean() - 160, 0, 320))
        self.frames = read_frames(video).values[:, :, left : left + 320]
        self.hips = hips - (left, 0)


@pytest.fixture(scope="module")
def players(tmp_path_factory):
    out = tmp_path_factory.mktemp("players")
    synthesize(out, 8, 2, seed=3, size=(640, 480), num_workers=2)
    return [Drawn(video) for video in sorted(out.rglob("*_000[01]_*.mp4"))]


def hips(poses):
    return poses[..., [BLAZEPOSE33.index(f"{side}_hip") for side in ("left", "right")], POINTS].mean(-2)


def distance(found, true):
    return float(np.median(np.linalg.norm(found - true, axis=-1)))


def test_two_players_share_the_decoding_and_keep_their_own_joints(players, tmp_path):
    num = min(len(player.frames) for player in players)
    write_video(tmp_path / "two.mp4", np.concatenate([p.frames[:num] for p in players], 2), fps=30)
    rois = [(0, 0, 320, 480), (320, 0, 640, 480)]
    both = np.stack([frame.poses for frame in iter_poses(tmp_path / "two.mp4", 30, rois)], 1)
    assert both.shape == (2, num, 33, 6)
    for player, found, x0 in zip(players, both, (0, 320), strict=True):
        assert distance(hips(found), player.hips[:num] + np.array([x0, 0])) < 20
    alone = find_poses(tmp_path / "two.mp4", 30, roi=rois[1]).values
    assert distance(alone[:, 11:, POINTS], both[1][:, 11:, POINTS]) < 4


def test_after_a_cut_the_joints_are_those_of_the_new_scene(players, tmp_path):
    first, second = players
    write_video(tmp_path / "cut.mp4", np.concatenate([first.frames[:30], second.frames[:30, :, ::-1]]), 30)
    frames = list(iter_poses(tmp_path / "cut.mp4", 30))
    assert [number for number, frame in enumerate(frames) if frame.is_new_scene] == [31]
    assert np.isnan(frames[30].poses).all()  # a cut or a flash: the next image tells
    mirrored = second.hips[1:30] * (-1, 1) + (319, 0)
    found = hips(np.concatenate([frame.poses for frame in frames[31:]]))
    assert not np.isnan(found).any()
    assert distance(found, mirrored) < 20


def test_a_flash_does_not_disturb_the_track(players, tmp_path):
    frames = players[0].frames[:40].copy()
    plain = find_poses(_written(tmp_path / "plain.mp4", frames), 30).values
    frames[20] = np.minimum(frames[20].astype(int) + 60, 255)
    flash = list(iter_poses(_written(tmp_path / "flash.mp4", frames), 30))
    assert not any(frame.is_new_scene for frame in flash)
    found = np.concatenate([frame.poses for frame in flash])
    assert np.flatnonzero(np.isnan(found).all((1, 2))).tolist() == [20]
    seen = np.arange(40) != 20
    assert distance(hips(found[seen]), hips(plain[seen])) < 3


def test_a_player_who_leaves_is_lost_and_found_when_he_is_back(players, tmp_path):
    frames = players[0].frames[:45].copy()
    frames[15:30] = GREY
    write_video(tmp_path / "away.mp4", frames, fps=30)
    is_found = ~np.isnan(find_poses(tmp_path / "away.mp4", 30).values).any((1, 2))
    assert is_found[:15].all()
    assert not is_found[15:30].any()
    assert is_found[31:].all()


def test_a_player_who_was_hidden_is_not_replaced_by_another_one(players, tmp_path):
    num = min(45, *(len(player.frames) for player in players))
    pictures = np.concatenate([player.frames[:num] for player in players], 2)
    whole = find_poses(_written(tmp_path / "seen.mp4", pictures), 30).values
    is_left = hips(whole)[0, 0] < 320
    own = players[0] if is_left else players[1]
    shift = (0, 0) if is_left else (320, 0)
    x = int(own.hips[15, 0] + shift[0])
    pictures[12:18, 20:, max(0, x - 110) : x + 110] = pictures[12:18, 20:, max(0, x - 110)][:, :, None]
    hidden = hips(find_poses(_written(tmp_path / "hidden.mp4", pictures), 30).values)
    assert distance(hidden[25:], own.hips[25:num] + shift) < 25


def _written(path, frames):
    write_video(path, frames, fps=30)
    return path


def test_a_cut_in_any_region_counts(players, tmp_path):
    right = np.concatenate([players[0].frames[:20], players[1].frames[:20, :, ::-1]])
    video = _written(tmp_path / "wall.mp4", np.concatenate([np.full_like(right, GREY), right], 2))
    frames = iter_poses(video, 30, [(0, 0, 320, 480), (320, 0, 640, 480)])
    assert [number for number, frame in enumerate(frames) if frame.is_new_scene] == [21]
