import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from run_files import rows

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.specs import FrameSpec
from tt_actions.errors import UnreadableError
from tt_actions.evaluation.explain import explain
from tt_actions.main import main
from tt_actions.models import C3D, CNN, CNNLSTM, LSTM, MOF, CNNLSTMPlus, R3DTransformer
from tt_actions.recognition.loading import load
from tt_actions.sources import SyntheticStrokes, UserDepth
from tt_actions.sources.command import check
from tt_actions.training.augmentation import Augmentation, check_channels
from tt_actions.video.depth import quantise, read_depth, scale_depth
from tt_actions.video.depth_files import open_depth
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

SPEC = FrameSpec(fps=10, size=(12, 16), aspect="stretch", picture="depth")


def level(metres):
    return quantise(np.array(metres, np.float32), (0.5, 8.0)).tolist()


def ramp(num_frames=20, height=12, width=16):
    """Return depth images: frame t is t/4 + 1 m away, and the right half 1 m nearer."""
    metres = np.full((num_frames, height, width), 1.0) + np.arange(num_frames)[:, None, None] / 4
    metres[:, :, width // 2 :] -= 0.3
    return metres.astype(np.float32)


def write_npz(path, depth=None, fps=10.0, **others):
    np.savez(path, depth=ramp() if depth is None else depth, fps=np.array(fps), **others)
    return path


def write_folder(path, depth=None, name="depth_{:d}.png"):
    path.mkdir(parents=True)
    for i, picture in enumerate(ramp() if depth is None else depth):
        assert cv2.imwrite(str(path / name.format(i)), (picture * 1000).round().astype(np.uint16))
    return path


def write_colours(path, num_frames=20, fps=10, size=(32, 24)):
    write_video(path, [np.full((*size[::-1], 3), 10 * i, np.uint8) for i in range(num_frames)], fps)
    return path


def test_levels_are_metres_and_0_is_not_measured():
    metres = np.linspace(0.5, 8, 1000)
    levels = quantise(metres, (0.5, 8))
    np.testing.assert_allclose(0.5 + (levels - 1.0) * 7.5 / 254, metres, atol=7.5 / 254 / 2 + 1e-6)
    assert quantise(np.array([0.0]), (0.5, 8)) == 0


def test_scaling_does_not_mix_in_unmeasured_pixels():
    metres = np.full((24, 32), 4, np.float32)
    metres[6:12, 4:9] = 0  # 8 is the first column of a block of two: half of it is measured
    small = scale_depth(metres, (12, 16), "stretch")
    assert set(small.ravel().tolist()) == {0, 4}
    expected = np.full((12, 16), 4)
    expected[3:6, 2:4] = 0
    np.testing.assert_array_equal(small, expected)
    large = scale_depth(metres, (48, 64), "stretch")
    assert set(large.ravel().tolist()) == {0, 4}
    padded = scale_depth(metres, (12, 32), "pad")
    assert (padded[:, :8] == 0).all()
    assert (padded[:, 24:] == 0).all()
    np.testing.assert_array_equal(padded[:, 8:24], expected)


@pytest.mark.parametrize("write", [lambda p: write_npz(p / "a.npz"), lambda p: write_folder(p / "a_depth")])
def test_a_file_and_a_folder_give_the_same_frames_of_a_stretch_of_time(tmp_path, write):
    frames, times_s = SPEC.read(write(tmp_path), 0.5, 1.5)
    assert frames.shape == (10, 12, 16, 1)
    assert frames.dtype == np.uint8
    np.testing.assert_allclose(times_s, 0.5 + np.arange(10) / 10)
    assert frames[:, 0, 0, 0].tolist() == level([1 + t / 4 for t in range(5, 15)])
    assert frames[:, 0, 15, 0].tolist() == level([0.7 + t / 4 for t in range(5, 15)])


def test_images_of_a_folder_are_sorted_by_their_numbers(tmp_path):
    names = sorted(path.name for path in write_folder(tmp_path / "a").iterdir())
    assert names.index("depth_10.png") < names.index("depth_2.png")
    assert SPEC.read(tmp_path / "a").values[:, 0, 0, 0].tolist() == level([1 + t / 4 for t in range(20)])


@pytest.mark.parametrize(("fps", "end_s"), [(15, None), (10, None), (4, 1.3), (30, 1.0)])
def test_depth_is_sampled_at_the_times_of_its_video(tmp_path, fps, end_s):
    video = write_colours(tmp_path / "a.mp4")
    write_npz(tmp_path / "a.npz")
    pictures = read_depth(open_depth(tmp_path / "a.npz", fps), fps, (12, 16), "stretch", (0.5, 8), 0.2, end_s)
    frames, times_s = read_frames(video, fps=fps, start_s=0.2, end_s=end_s)
    np.testing.assert_allclose(pictures.times_s, times_s)
    shown = (frames[:, 0, 0, 0] / 10.0).round()
    assert pictures.values[:, 0, 0, 0].tolist() == level([1 + t / 4 for t in shown])


def test_colours_and_depth_make_four_channels(tmp_path):
    depth = ramp(20, 24, 32)
    video = write_colours(tmp_path / "a.mp4")
    write_npz(tmp_path / "a.npz", depth)
    spec = replace(SPEC, picture="rgbd")
    frames = spec.read(video, roi=(16, 0, 32, 12)).values
    assert frames.shape == (20, 12, 16, 4)
    np.testing.assert_array_equal(
        frames[..., :3],
        read_frames(video, fps=10, size=(12, 16), aspect="stretch", roi=(16, 0, 32, 12)).values,
    )
    assert frames[:, 0, 0, 3].tolist() == level(depth[:, 0, 16])
    alone = replace(SPEC, picture="depth").read(video, roi=(16, 0, 32, 12)).values
    np.testing.assert_array_equal(alone, frames[..., 3:])


BAD = {
    "wrong key": (lambda p: np.savez(p, dept=ramp(), fps=10), "Expected `depth` .* and `fps` in .*a.npz"),
    "no rate": (lambda p: np.savez(p, depth=ramp()), "Expected `depth` .* and `fps` in .*a.npz"),
    "wrong rank": (lambda p: write_npz(p, ramp()[..., None]), r"got \(20, 12, 16, 1\) of float32"),
    "millimetres": (lambda p: write_npz(p, (ramp() * 1000).astype(np.uint16)), "floats .* of uint16"),
    "far millimetres": (
        lambda p: write_npz(p, ramp() * 1000),
        "between 0.5 m and 8 m in .*a.npz.* Check that it is in metres",
    ),
    "no frame": (lambda p: write_npz(p, ramp(0)), r"got \(0, 12, 16\)"),
    "nothing measured": (lambda p: write_npz(p, np.full((3, 4, 4), np.nan)), "but found none"),
    "rate": (lambda p: write_npz(p, fps=0), "positive `fps`"),
    "text": (lambda p: p.write_text("no archive"), "it can't be read"),
    "empty": (lambda p: p.write_bytes(b""), "it can't be read"),
    "objects": (lambda p: np.savez(p, depth=np.array([{}]), fps=10), "it can't be read"),
    "absent": (lambda _: None, "it can't be read"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_by_name(tmp_path, kind):
    write, message = BAD[kind]
    write(tmp_path / "a.npz")
    with pytest.raises(UnreadableError, match=message) as caught:
        SPEC.read(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)


def test_bad_images_are_refused_with_their_name(tmp_path):
    folder = write_folder(tmp_path / "a")
    cv2.imwrite(str(folder / "depth_7.png"), np.full((12, 16), 90, np.uint8))
    with pytest.raises(UnreadableError, match=r"16-bit grey PNG .*depth_7.png', but got uint8 of \(12, 16\)"):
        SPEC.read(folder)
    cv2.imwrite(str(folder / "depth_7.png"), np.full((12, 17), 900, np.uint16))
    with pytest.raises(UnreadableError, match=r"'depth_7.png' has \(12, 17\) after \(12, 16\)"):
        SPEC.read(folder)
    (folder / "depth_7.png").write_bytes(b"\x89PNG")
    with pytest.raises(UnreadableError, match=r"depth_7.png', but it can't be decoded"):
        SPEC.read(folder)
    (folder / "last.png").write_bytes(b"")
    with pytest.raises(UnreadableError, match="a file without a number"):
        SPEC.read(folder)
    (tmp_path / "b").mkdir()
    with pytest.raises(UnreadableError, match="but got none"):
        SPEC.read(tmp_path / "b")


def test_impossible_distances_count_as_not_measured(tmp_path):
    depth = ramp()
    depth[:, 0, :4] = np.nan, np.inf, -2, 0
    frames = SPEC.read(write_npz(tmp_path / "a.npz", depth.astype(np.float16))).values
    assert (frames[:, 0, :4] == 0).all()
    assert (frames[:, 1:] > 0).all()


def test_depth_of_another_video_is_refused(tmp_path):
    video, spec = write_colours(tmp_path / "a.mp4"), replace(SPEC, picture="rgbd")
    with pytest.raises(UnreadableError, match=r"depth of .*a.mp4' in 'a.npz' or in a folder 'a_depth'"):
        spec.read(video)
    write_npz(tmp_path / "a.npz", ramp(18, 24, 32))
    with pytest.raises(
        UnreadableError, match=r"as long as .*a.mp4' \(2.000 s\), .*a.npz' has 18 images \(1.800 s\)"
    ):
        spec.read(video)
    write_npz(tmp_path / "a.npz", ramp(20, 24, 30))
    with pytest.raises(UnreadableError, match=r"depth of the 32x24 pixels of .* has 30x24"):
        spec.read(video)
    write_npz(tmp_path / "a.npz", ramp(19, 24, 32))  # one frame shorter
    assert len(spec.read(video).values) == 19


def test_times_and_regions_outside_are_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    for times in ((2.0, None), (0.0, 2.2), (1.0, 1.0)):
        with pytest.raises(UnreadableError, match=r"times within the 2.000 s of .*a.npz"):
            SPEC.read(path, *times)
    with pytest.raises(UnreadableError, match="`roi` to lie within the 16x12 pixels"):
        SPEC.read(path, roi=(0, 0, 17, 12))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"picture": "xyz"}, "`picture` to be one of"),
        ({"flow": True}, "no `flow` and no `crop` with `picture: depth`"),
        ({"crop": "motion"}, "no `flow` and no `crop` with `picture: depth`"),
        ({"depth_range_m": (3, 3)}, "`depth_range_m`"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FrameSpec(**{"fps": 10, "size": (12, 16), "picture": "depth"} | options)


@pytest.mark.parametrize("kind", ["beside", "folder"])
def test_changed_depth_is_read_again(tmp_path, kind):
    video = write_colours(tmp_path / "a.mp4")
    if kind == "beside":
        file = write_npz(tmp_path / "a.npz", ramp(20, 24, 32))
    else:
        file = write_folder(tmp_path / "a_depth", ramp(20, 24, 32)) / "depth_0.png"
    before = FrameCache(tmp_path / "cache").frames(ClipRecord(video), SPEC)
    assert np.array_equal(FrameCache(tmp_path / "cache").frames(ClipRecord(video), SPEC), before)
    if kind == "beside":
        write_npz(file, ramp(20, 24, 32) + 1)
    else:
        cv2.imwrite(str(file), np.full((24, 32), 5000, np.uint16))
    after = FrameCache(tmp_path / "cache").frames(ClipRecord(video), SPEC)
    assert not np.array_equal(before, after)


def test_the_cache_key_of_colours_is_unchanged():
    assert FrameSpec(10, (12, 16)).cache_key(None) == [None, 10.0, (12, 16), "pad", "none"]


def test_a_folder_of_depth_files_is_a_dataset(tmp_path):
    (tmp_path / "serve").mkdir()
    write_npz(tmp_path / "serve" / "p1_a.npz")
    write_folder(tmp_path / "smash" / "p2_b")
    records = UserDepth(tmp_path, r"^p\d").records()
    assert [(r.path.name, r.label, r.group) for r in records] == [
        ("p1_a.npz", "serve", "p1"),
        ("p2_b", "smash", "p2"),
    ]
    cache = FrameCache(tmp_path / "cache")
    assert cache.build(records, SPEC) == records
    np.testing.assert_array_equal(*(cache.frames(record, SPEC) for record in records))


def test_check_reports_depth(tmp_path, capsys):
    write_npz(tmp_path / "a.npz")
    write_folder(tmp_path / "b")
    np.savez(tmp_path / "c.npz", fps=3)
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label"), ("a.npz", "serve"), ("b", "smash"), ("c.npz", "smash")]
        )
    assert check(tmp_path / "m.csv") == 1
    printed = capsys.readouterr().out
    assert "16x12" in printed
    assert "unreadable: Expected `depth`" in printed
    assert "1 of them unreadable" in printed


FRAME_MODELS = [C3D, CNN, CNNLSTM, LSTM, MOF, CNNLSTMPlus, R3DTransformer]


@pytest.mark.parametrize("num_channels", [1, 4])
@pytest.mark.parametrize("model_class", FRAME_MODELS, ids=lambda model: model.__name__)
def test_every_frame_model_learns_from_depth(model_class, num_channels):
    torch.manual_seed(0)
    model = model_class(num_classes=4, in_channels=num_channels)
    lengths, labels = torch.tensor([6, 4]), torch.tensor([0, 3])
    frames = torch.rand(2, 6, num_channels, 32, 48)

    def class_loss(logits):
        return -model.clip_log_probability(logits, lengths)[torch.arange(2), labels].mean()

    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss, logits = model.objective(frames, lengths, class_loss)
    assert logits.shape == (2, 6, 4)
    loss.backward()
    optimizer.step()
    assert model(frames, lengths).isfinite().all()


def test_colour_augmentation_leaves_depth_unchanged():
    torch.manual_seed(0)
    frames = torch.zeros(4, 3, 4, 12, 16, dtype=torch.uint8)
    frames[:, :, :3] = 100
    frames[:, :, 3, 3:9] = 200  # next to pixels that are not measured
    still = {
        "flip": 0.0,
        "crop": (1.0, 1.0),
        "stretch": 1.0,
        "rotation_deg": 0.0,
        "speed": 0.0,
        "jitter": 0.0,
    }
    changed, _ = Augmentation(**still, blur=1.0, noise=0.1, erase=0.0)(frames, torch.full((4,), 3))
    torch.testing.assert_close(changed[:, :, 3], frames[:, :, 3] / 255)
    assert ((changed[:, :, :3] - 100 / 255).abs() > 0.01).any()

    moved, _ = Augmentation(rotation_deg=20.0, erase=1.0)(frames[:, :, 3:], torch.full((4,), 3))
    assert set(moved.unique().tolist()) == {0.0, np.float32(200 / 255).item()}
    assert not torch.equal(moved[:, :, 0], frames[:, :, 3] / 255)
    check_channels(Augmentation(), 4)
    with pytest.raises(ValueError, match=r"5 channels \(colours and optical flow\)"):
        check_channels(Augmentation(), 5)


def test_depth_is_normalised_by_itself():
    plain = {"fps": 10, "size": (12, 16), "mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 1.0)}
    assert Preprocessing(**plain, picture="depth").channel_means == (0.5,)
    assert Preprocessing(**plain, picture="rgbd").channel_means == (0.1, 0.2, 0.3, 0.5)
    assert Preprocessing(**plain, picture="rgbd").channel_stds == (1.0, 1.0, 1.0, 0.25)
    assert Preprocessing(**plain).num_channels == 3


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Sixteen synthetic clips, each with a depth file next to it."""
    source = SyntheticStrokes(tmp_path_factory.mktemp("drawn"), 16, 4, size=(160, 120), depth=True)
    source.prepare()
    return source


@pytest.fixture(scope="module", params=["depth", "rgbd"])
def run(request, drawn, tmp_path_factory):
    """The run directory of the experiment on these clips."""
    runs = tmp_path_factory.mktemp("runs")
    options = {
        **{f"data.source.{name}": getattr(drawn, name) for name in ("out", "clips", "players", "seed")},
        "data.source.size": list(drawn.size),
        "data.preprocessing.picture": request.param,
        "data.preprocessing.num_frames": 4,
        "data.cache_dir": runs / "cache",
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
    }
    config = Path(__file__).parents[2] / "experiments" / "depth_cnn_lstm.yaml"
    main(["train", "--config", str(config), *(f"--{k}={v}" for k, v in options.items()), "--runs", str(runs)])
    return runs / "depth_cnn_lstm" / "version_0"


def test_the_experiment_runs_and_reports(run, drawn):
    model = load(run / "checkpoints" / "best.ckpt")
    num_channels = {"depth": 1, "rgbd": 4}[model.preprocessing.picture]
    assert model.network.cnn.layers[0].in_channels == num_channels  # derived from the data
    assert len(list((run / "report" / "worst_clips").glob("*.mp4"))) == 4
    first = rows(run / "report" / "predictions.csv")[0]
    clip = ClipRecord.from_name(first["name"])
    found = model.predict(clip.path, roi=clip.roi)
    assert found.label == first["predicted"]
    explained = explain(model, clip.path, roi=clip.roi)
    assert explained.frames.shape[1:] == (64, 48, 3)
    assert explained.frames.std() > 0
    with pytest.raises(ValueError, match=f"reads `picture: {model.preprocessing.picture}`"):
        model.analyze(clip.path)
    assert {r.path for r in read_manifest(drawn.out / "manifest.csv")} >= {clip.path}
