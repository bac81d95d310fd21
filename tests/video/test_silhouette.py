from pathlib import Path

import numpy as np
import pytest
import torch
from measure_silhouettes import measure
from run_files import rows

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.specs import FrameSpec
from tt_actions.evaluation.explain import explain
from tt_actions.main import main
from tt_actions.models.silhouette_lstm import describe_silhouettes
from tt_actions.recognition.loading import load
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.following import camera_motion
from tt_actions.video.silhouette import cut, segment, shrink_masks, stabilise


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Silhouettes of two synthetic clips, a serve and a forehand."""
    out = tmp_path_factory.mktemp("drawn")
    synthesize(out, 2, 2, seed=7, silhouettes=True, num_workers=1)
    return [measure(record, "graph_cut", fps=8) for record in read_manifest(out / "manifest.csv")]


def test_silhouettes_are_those_of_the_drawn_players(measured):
    overlaps = [clip.overlap for clip in measured]
    assert np.mean(overlaps) > 0.6
    assert min(overlaps) > 0.45
    moved = np.roll(measured[0].true, 20, 2)  # control: a shifted figure overlaps badly
    assert measured[0]._replace(found=measured[0].true).overlap == 1
    assert measured[0]._replace(found=moved).overlap < 0.45


def test_silhouettes_are_reproducible(measured):
    np.testing.assert_array_equal(segment(measured[1].frames), measured[1].found)


def textured(height=160, width=200, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return noise.repeat(8, 0).repeat(8, 1)


def test_a_moving_box_is_segmented_despite_a_swaying_camera():
    hall, frames, true = textured(), [], []
    for t in range(16):
        scene, mask = hall.copy(), np.zeros(hall.shape[:2], bool)
        mask[40:110, 60 + 3 * t : 85 + 3 * t] = True
        scene[mask] = 250, 250, 40
        shift = round(4 * np.sin(t / 2))
        frames.append(scene[10:150, 20 + shift : 180 + shift])
        true.append(mask[10:150, 20 + shift : 180 + shift])
    found, true = segment(np.stack(frames)), np.stack(true)
    overlaps = (found & true).sum((1, 2)) / (found | true).sum((1, 2))
    assert overlaps.min() > 0.75
    shifts = [matrix[0, 2] for matrix in stabilise(np.stack(frames))]
    expected = [round(4 * np.sin(t / 2)) - round(4 * np.sin(4)) for t in range(16)]
    np.testing.assert_allclose(shifts, expected, atol=0.5)
    assert camera_motion(frames[0], frames[0])[0, 2] == pytest.approx(0, abs=0.05)


def test_without_motion_the_silhouette_is_empty():
    still = np.stack([textured(80, 64)] * 5)
    assert not segment(still).any()
    assert not segment(still[:1]).any()


def test_small_parts_are_dropped_and_nothing_is_found_outside():
    figure, allowed = np.zeros((1, 40, 40), bool), np.zeros((1, 40, 40), bool)
    figure[0, 5:25, 10:20] = figure[0, 30:32, 30:32] = True
    allowed[0, :, :36] = True
    features = np.where(figure[..., None], np.uint8(230), np.uint8(20)).repeat(3, -1)
    features[0, 5:25, 37:] = 230  # looks like the figure, but is where it can't be
    found = cut(features, figure, allowed)
    np.testing.assert_array_equal(found[0, :, :28], figure[0, :, :28])
    assert not found[0, :, 28:].any()


def test_silhouette_frames_contain_the_share_of_each_pixel():
    masks = np.zeros((2, 8, 8), bool)
    masks[0, :3] = True
    frames = shrink_masks(masks, (4, 4))
    assert frames.shape == (2, 4, 4, 1)
    assert frames[0, :, 0, 0].tolist() == [255, 128, 0, 0]
    assert not frames[1].any()


@pytest.mark.parametrize("silhouettes", ["pose", "graph_cut"])
def test_a_spec_of_silhouettes_reads_them(strokes, silhouettes):
    record = read_manifest(strokes)[0]
    spec = FrameSpec(fps=5, size=(32, 24), picture="silhouette", silhouettes=silhouettes)
    frames, times_s = spec.read(record.path, roi=record.roi)
    assert frames.shape == (len(times_s), 32, 24, 1)
    assert 0.03 < (frames > 127).mean() < 0.5
    how = Preprocessing(fps=5, size=(32, 24), picture="silhouette")
    assert (how.channel_means, how.channel_stds) == ((0.0,), (1.0,))
    assert spec.cache_key(None) != FrameSpec(fps=5, size=(32, 24)).cache_key(None)


def described(*masks):
    return describe_silhouettes(torch.from_numpy(np.stack(masks))[None, :, None].float())[0]


def box(top, bottom, left, right, shape=(32, 32)):
    mask = np.zeros(shape)
    mask[top:bottom, left:right] = 1
    return mask


def test_a_silhouette_is_described_by_shape_structure_and_motion():
    upright, turned = box(8, 24, 12, 20), box(12, 20, 8, 24)
    (first,) = described(upright, upright)
    area, spread_y, spread_x, both, y, x, left, upper = first[:8].tolist()
    assert area == pytest.approx(16 * 8 / 32**2)
    assert (spread_y, spread_x) == pytest.approx((16 / 32 / 12**0.5, 8 / 32 / 12**0.5), rel=0.02)
    assert (both, y, x, left, upper) == pytest.approx((0, 0, 0, 0.5, 0.5), abs=1e-5)
    num = (len(first) - 2 * 24) // 2  # features of a single frame
    assert not first[num:].any()  # nothing has moved
    reach = first[num - 16 : num]
    assert reach.max() == pytest.approx(np.hypot(7.5, 3.5) / 32 / area**0.5, rel=0.01)
    shifted, rotated = described(upright, np.roll(upright, 4, 1), turned)
    assert shifted[num + 5].item() == pytest.approx(4 / 32)  # shift of the centre
    assert shifted[-48:].sum() > 0
    assert rotated[1].item() == pytest.approx(spread_x)
    torch.testing.assert_close(shifted[:4], first[:4])


def test_an_empty_silhouette_has_a_description_and_a_gradient():
    masks = torch.zeros(1, 3, 1, 16, 16, requires_grad=True)
    features = describe_silhouettes(masks)
    assert features.isfinite().all()
    features.sum().backward()
    assert masks.grad.isfinite().all()


def test_the_experiment_runs_and_reports(strokes, tmp_path):
    options = {
        "data.source": "UserClips",
        "data.source.path": strokes,
        "data.cache_dir": tmp_path / "cache",
        "data.preprocessing.fps": 3,  # the silhouettes take time for each frame
        "data.preprocessing.num_frames": 4,
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
    }
    config = Path(__file__).parents[2] / "experiments" / "silhouette_lstm.yaml"
    words = (f"--{key}={value}" for key, value in options.items())
    main(["train", "--config", str(config), *words, "--runs", str(tmp_path)])
    run = tmp_path / "silhouette_lstm" / "version_0"
    model = load(run / "checkpoints" / "best.ckpt")
    assert len(list((run / "report" / "worst_clips").glob("*.mp4"))) == 4
    clip = ClipRecord.from_name(rows(run / "report" / "predictions.csv")[0]["name"])
    explained = explain(model, clip.path, roi=clip.roi)
    assert explained.method == "occlusion"
    assert np.isfinite(explained.heat).all()
    assert explained.heat.max() == 1
    with pytest.raises(ValueError, match="this one reads `picture: silhouette`"):
        model.analyze(clip.path)
