import cv2
import numpy as np
import pytest
from measure_silhouettes import measure

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.preprocessing import Preprocessing, make_preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.specs import FrameSpec
from tt_actions.errors import UnreadableError, UserError
from tt_actions.pose.figure import Figure
from tt_actions.pose.regions import Region, cut_region
from tt_actions.pose.silhouettes import find_silhouettes
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.scene import World
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

SIZE = (160, 120)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Synthetic clips of a serve, a forehand and a backhand, in several halls."""
    out = tmp_path_factory.mktemp("drawn")
    synthesize(out, 3, 2, seed=8, silhouettes=True, num_workers=1, world=World(halls=6, clip_s=(2.0, 2.1)))
    return read_manifest(out / "manifest.csv")


@pytest.fixture(scope="module")
def measured(records):
    return [measure(record, fps=8) for record in records]


@pytest.fixture(scope="module")
def clip(records):
    """The frames of the player's region in one clip, at 15 per second."""
    return read_frames(records[1].path, fps=15, roi=records[1].roi).values


def overlaps(found, true):
    found, true = found[..., 0] > 127, true[..., 0] > 127
    return (found & true).sum((1, 2)) / np.maximum((found | true).sum((1, 2)), 1)


def written(path, frames, fps=15):
    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    write_video(path, frames[:, :height, :width], fps)
    return path


def test_silhouettes_are_those_of_the_drawn_players(measured):
    assert np.mean([one.overlap for one in measured]) > 0.85
    assert min(one.overlap for one in measured) > 0.75
    moved = np.roll(measured[0].found, 20, 2)  # control: a shifted figure overlaps badly
    assert measured[0]._replace(found=moved).overlap < 0.45


def test_silhouettes_are_reproducible(records, measured):
    np.testing.assert_array_equal(measure(records[0], fps=8).found, measured[0].found)


def test_each_pixel_is_the_share_of_the_player_in_it(records):
    fine = find_silhouettes(records[0].path, 4, (240, 180), roi=records[0].roi)
    coarse = find_silhouettes(records[0].path, 4, (60, 45), roi=records[0].roi)
    expected = np.stack([cv2.resize(one, (45, 60), interpolation=cv2.INTER_AREA) for one in fine.values])
    assert np.abs(coarse.values[..., 0].astype(int) - expected).mean() < 2
    assert ((coarse.values > 20) & (coarse.values < 235)).any()
    np.testing.assert_array_equal(coarse.times_s, fine.times_s)


def test_a_region_is_padded_or_stretched_as_frames_are(records):
    record = records[0]
    shown = {}
    for aspect in ("pad", "stretch"):
        spec = FrameSpec(4, (64, 96), aspect, picture="silhouette")
        shown[aspect] = spec.read(record.path, roi=record.roi).values[..., 0]
        colours = FrameSpec(4, (64, 96), aspect).read(record.path, roi=record.roi).values
        columns = colours.any((0, 1, 3))
        assert columns.all() == (aspect == "stretch")
        assert not shown[aspect][:, :, ~columns].any()
    inner = shown["pad"][:, :, columns_with(shown["pad"])]
    outer = shown["stretch"][:, :, columns_with(shown["stretch"])]
    assert outer.shape[2] > 1.7 * inner.shape[2]  # twice as wide


def columns_with(masks):
    return masks.any((0, 1))


def test_a_flash_leaves_no_gap(clip, tmp_path):
    plain = find_silhouettes(written(tmp_path / "plain.mp4", clip), 15, SIZE).values
    bright = clip.copy()
    bright[10] = np.minimum(bright[10].astype(int) + 60, 255)
    flash = find_silhouettes(written(tmp_path / "flash.mp4", bright), 15, SIZE).values
    assert overlaps(flash, plain).min() > 0.7


def test_a_player_out_of_sight_has_no_silhouette_and_gets_it_back(clip, tmp_path):
    plain = find_silhouettes(written(tmp_path / "plain.mp4", clip), 15, SIZE).values
    away = clip.copy()
    away[8:16] = 90
    found = find_silhouettes(written(tmp_path / "away.mp4", away), 15, SIZE).values
    assert not found[8:16].any()
    assert overlaps(found, plain)[:8].min() > 0.8
    assert overlaps(found, plain)[17:].min() > 0.8


def test_a_frame_that_is_shown_twice_keeps_its_silhouette(clip, tmp_path):
    found = find_silhouettes(written(tmp_path / "slow.mp4", clip[:10], fps=5), 10, SIZE).values
    assert len(found) == 20
    np.testing.assert_array_equal(found[::2], found[1::2])
    assert (found[2:] != found[:-2]).any()


def test_a_video_without_a_person_is_refused_by_name(tmp_path):
    video = written(tmp_path / "empty.mp4", np.full((10, 120, 160, 3), 90, np.uint8))
    with pytest.raises(UnreadableError, match=r"empty\.mp4' from 0 s to the end, but no person was found"):
        find_silhouettes(video, 15, SIZE)


def test_a_figure_is_put_back_where_it_was_cut_out():
    image = np.zeros((200, 300, 3), np.uint8)
    cv2.ellipse(image, (170, 80), (30, 12), 25, 0, 360, (255, 255, 255), -1)
    region = Region(150, 90, 120, 0.6)
    cut = cut_region(image, region, (256, 256), cv2.BORDER_CONSTANT)[..., 0]
    logits = np.where(cut > 127, np.float32(260), np.float32(-1500))
    mask = Figure(logits, region).mask((200, 300))
    true = image[..., 0] > 0
    assert (mask & true).sum() / (mask | true).sum() > 0.95


def test_the_cache_tells_the_ways_apart(records, tmp_path, monkeypatch):
    cache, record = FrameCache(tmp_path), records[0]
    pose, graph_cut = (
        FrameSpec(4, (32, 24), picture="silhouette", silhouettes=how) for how in ("pose", "graph_cut")
    )
    before = cache._file(record, pose)
    assert before != cache._file(record, graph_cut)
    of_graph_cut = cache._file(record, graph_cut)
    monkeypatch.setattr("tt_actions.clips.specs._SILHOUETTE_VERSION", 99)
    assert cache._file(record, pose) != before
    assert cache._file(record, graph_cut) == of_graph_cut


def test_models_from_before_the_pose_model_keep_their_silhouettes():
    older = {"fps": 5, "size": (32, 24), "picture": "silhouette"}
    assert make_preprocessing(older).silhouettes == "graph_cut"
    assert make_preprocessing(older | {"silhouettes": "pose"}).silhouettes == "pose"
    assert Preprocessing(fps=5, size=(32, 24), picture="silhouette").silhouettes == "pose"
    with pytest.raises(UserError, match=r"Expected `silhouettes` to be one of \('pose', 'graph_cut'\)"):
        FrameSpec(5, (32, 24), picture="silhouette", silhouettes="flow")  # type: ignore[arg-type]


def test_without_the_pose_model_one_error_says_what_to_do(records, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    spec = FrameSpec(4, (32, 24), picture="silhouette")
    clips = [ClipRecord(record.path, roi=record.roi) for record in records]
    with pytest.raises(UserError, match="tt-actions pose fetch --from WHEEL"):
        FrameCache(tmp_path / "cache").build(clips, spec)
    of_colours = FrameSpec(4, (32, 24))
    assert len(FrameCache(tmp_path / "cache").build(clips, of_colours)) == len(clips)  # needs no model
