"""A whole video: streams, idle time for models of clips, and folders of results."""

import json
import os
import resource
import shutil
import signal
from dataclasses import asdict

import numpy as np
import pytest
import torch
from drawn_video import draw_all
from run_files import rows, wait_for
from torch import nn

from tt_actions.classes import IDLE, STROKES
from tt_actions.encoder import write_video
from tt_actions.loading import TrainedRecognizer
from tt_actions.main import main
from tt_actions.match.analyze import analyze_video, open_stream
from tt_actions.match.players import lay_tracks
from tt_actions.match.stream import CausalStream, WindowStream, gather_stretches, read_ahead
from tt_actions.models import C3D, CNNLSTM, CNNLSTMPlus
from tt_actions.models.base import CausalModel
from tt_actions.models.crf import CRF
from tt_actions.preprocessing import Preprocessing
from tt_actions.typical import TypicalClip
from tt_actions.video import iter_tracks

FPS, SIZE = 10, (16, 16)
NAMES = [*STROKES, IDLE]
LEVELS = {"serve": 200, "smash": 120, IDLE: 20}


class Brightness(CausalModel):
    """Tells the class of LEVELS whose level the picture is nearest to."""

    def __init__(self, num_classes=5):
        super().__init__(num_classes)
        self.scale = nn.Parameter(torch.tensor(40.0))
        known = torch.full((num_classes,), 9.0)
        for name, level in LEVELS.items():
            known[NAMES.index(name)] = level / 255
        self.register_buffer("known", known)

    def advance(self, inputs, state=None, lengths=None):
        del lengths
        return -self.scale * (inputs.mean((2, 3, 4))[..., None] - self.known).abs(), state


def recognizer(network, names=NAMES, **options):
    plain = {"mean": (0.0,) * 3, "std": (1.0,) * 3, "aspect": "stretch"}
    plain = plain if isinstance(network, Brightness) else {}
    how = Preprocessing(FPS, SIZE, **{"num_frames": 8, "sampling": "all"} | plain | options)
    torch.manual_seed(0)
    return TrainedRecognizer(network, list(names), asdict(how), torch.optim.Adam).eval()


def film(path, played, seconds=6.0, fps=20, size=(48, 64)):
    """A grey video, brighter while a stroke is played: (name, start, end) in seconds."""
    pictures = []
    for k in range(round(seconds * fps)):
        level = next((LEVELS[name] for name, start, end in played if start <= k / fps < end), LEVELS[IDLE])
        pictures.append(np.full((*size, 3), level, np.uint8))
    write_video(path, pictures, fps)
    return path


PLAYED = [("serve", 1.0, 2.1), ("smash", 3.5, 4.4)]


@pytest.fixture
def match(tmp_path):
    return film(tmp_path / "match.mp4", PLAYED)


@pytest.fixture(scope="module")
def checkpoint(rally_run):
    return rally_run / "checkpoints" / "best.ckpt"


def stream_in(stream, frames, sizes):
    told = [stream.push(part) for part in np.split(frames, np.cumsum(sizes)[:-1], axis=1)]
    return torch.cat([*told, stream.finish()], 1)


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("network_class", [CNNLSTM, CNNLSTMPlus])
@torch.no_grad()
def test_a_causal_model_streams_what_it_says_of_the_whole(network_class, delay):
    model = recognizer(network_class(5, delay=delay))
    frames = np.random.default_rng(0).integers(0, 256, (2, 23, *SIZE, 3), dtype=np.uint8)
    inputs = torch.from_numpy(frames).permute(0, 1, 4, 2, 3)
    whole = model(inputs, torch.tensor([23, 23])).log_softmax(-1)
    for sizes in ([23], [1] * 23, [2, 20, 1]):
        streamed = stream_in(CausalStream(model), frames, sizes)
        torch.testing.assert_close(streamed, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("num_frames", [1, 5, 8, 9, 40])
@torch.no_grad()
def test_windows_tell_every_frame_once_whatever_the_stretches(num_frames):
    model = recognizer(C3D(5))
    frames = np.random.default_rng(1).integers(0, 256, (2, num_frames, *SIZE, 3), dtype=np.uint8)
    at_once = stream_in(WindowStream(model, 8, 3), frames, [num_frames])
    by_one = stream_in(WindowStream(model, 8, 3), frames, [1] * num_frames)
    assert at_once.shape == (2, num_frames, 5)
    torch.testing.assert_close(by_one, at_once)
    torch.testing.assert_close(at_once.exp().sum(-1), torch.ones(2, num_frames))
    if num_frames <= 8:
        inputs = torch.from_numpy(frames).permute(0, 1, 4, 2, 3)
        alone = model(inputs, torch.full((2,), num_frames)).log_softmax(-1)
        torch.testing.assert_close(at_once, alone, atol=1e-4, rtol=0)


def test_a_model_is_shown_what_suits_it():
    assert isinstance(open_stream(recognizer(CNNLSTM(5))), CausalStream)
    assert isinstance(open_stream(recognizer(CRF(5, CNNLSTM))), CausalStream)
    assert isinstance(open_stream(recognizer(C3D(5))), WindowStream)
    model = recognizer(CNNLSTM(4), STROKES)
    model.typical_clip = TypicalClip(1.6, 9.0)
    stream = open_stream(model)
    assert isinstance(stream, WindowStream)
    assert (stream.window, stream.stride) == (16, 4)


def test_strokes_come_with_times_class_and_confidence(match):
    analysis = analyze_video(recognizer(Brightness()), match)
    assert [stroke.label for stroke in analysis.strokes] == ["serve", "smash"]
    for stroke, (_, start_s, end_s) in zip(analysis.strokes, PLAYED, strict=True):
        assert stroke.start_s == pytest.approx(start_s, abs=1 / FPS)
        assert stroke.end_s == pytest.approx(end_s, abs=1 / FPS)
        assert stroke.confidence > 0.9
        assert stroke.player == "player"
    assert analysis.duration_s == pytest.approx(6.0, abs=0.11)
    assert analysis.probabilities.shape == (1, len(analysis.times_s), 5)


def test_players_of_two_halves_are_told_apart(tmp_path):
    pictures = []
    for k in range(100):
        picture = np.full((48, 64, 3), LEVELS[IDLE], np.uint8)
        picture[:, :32] = LEVELS["serve"] if 20 <= k < 45 else LEVELS[IDLE]
        picture[:, 32:] = LEVELS["smash"] if 60 <= k < 80 else LEVELS[IDLE]
        pictures.append(picture)
    write_video(tmp_path / "two.mp4", pictures, 20)
    analysis = analyze_video(recognizer(Brightness()), tmp_path / "two.mp4", ["ana", "bo"])
    assert [(s.player, s.label) for s in analysis.strokes] == [("ana", "serve"), ("bo", "smash")]


class SureOfSmash(CNNLSTM):
    """Calls every clip a smash, with the probability it is told."""

    def __init__(self, probability):
        super().__init__(4)
        self.probability = probability

    def clip_log_probability(self, logits, lengths):
        del lengths
        others = [(1 - self.probability) / 3] * 3
        return torch.tensor([*others, self.probability]).log().expand(len(logits), 4)


@pytest.mark.parametrize(("probability", "is_sure"), [(0.9, True), (0.3, False)])
def test_to_a_model_of_clips_what_moves_less_or_is_not_named_surely_is_idle(probability, is_sure):
    """Play that never stops is no idle time, and a cut is no play."""
    model = recognizer(SureOfSmash(probability), STROKES)
    model.typical_clip = TypicalClip(1.0, 40.0)
    rng = np.random.default_rng(0)
    calm, cut = np.full((1, 40, *SIZE, 3), 90, np.uint8), np.full((1, 40, *SIZE, 3), 250, np.uint8)
    moving = rng.integers(0, 100, (1, 300, *SIZE, 3), dtype=np.uint8)  # changes by 33 levels
    frames = np.concatenate([calm, moving, calm, cut], 1)
    probabilities = stream_in(open_stream(model), frames, [30, 390]).exp()[0]
    assert probabilities.shape == (420, 5)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-4)
    assert probabilities[:35, -1].min() > 0.99
    assert probabilities[350:, -1].min() > 0.99
    playing = probabilities[45:335]
    if is_sure:
        np.testing.assert_allclose(playing[:, 3], 0.9 * playing[:, :4].sum(-1), atol=1e-5)
        assert playing[:, -1].max() < 0.15
    else:
        assert playing[:, -1].min() > 0.99


def test_reading_ahead_hands_on_items_and_errors_and_ends_early():
    assert list(read_ahead(iter(range(5)), 2)) == list(range(5))

    def failing():
        yield 1
        raise OSError("broken")

    items = read_ahead(failing(), 3)
    assert next(items) == 1
    with pytest.raises(OSError, match="broken"):
        next(items)

    made = []
    endless = read_ahead((made.append(k) or k for k in range(10**9)), 3)
    assert next(endless) == 0
    endless.close()
    assert len(made) < 8


def test_frames_are_gathered(match):
    spec = Preprocessing(FPS, SIZE).frame_spec
    stretches = list(gather_stretches(iter_tracks(match, spec, [None, (0, 0, 20, 20)]), 25))
    assert [len(stretch.times_s) for stretch in stretches] == [25, 25, 10]
    assert stretches[0].frames.shape == (2, 25, *SIZE, 3)


@pytest.mark.parametrize(
    ("names", "rois"),
    [(["a", "a"], []), (["a", "b", "c"], [(0, 0, 4, 4)] * 2), (["a", "b"], [(0, 0, 1, 9)])],
)
def test_players_that_do_not_fit_the_picture_are_refused(names, rois):
    with pytest.raises(ValueError, match="Expected"):
        lay_tracks(names, rois, 640, 480)


FILES = {"strokes.csv", "strokes.json", "frames.npz", "report.html", "analysis.json"}


def analyze(*args):
    with pytest.raises(SystemExit) as end:
        main(["analyze", *map(str, args)])
    return end.value.code


def test_a_video_becomes_a_folder_of_results(match, checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    assert analyze(match, "--checkpoint", checkpoint, "--out", out) == 0
    assert {path.name for path in out.iterdir()} == FILES | {"annotated.mp4"}
    assert "match.mp4" in capsys.readouterr().out
    told = json.loads((out / "strokes.json").read_text("utf-8"))
    assert len(told["strokes"]) == len(rows(out / "strokes.csv"))


def test_a_folder_goes_on_where_it_was_and_passes_over_what_is_broken(checkpoint, tmp_path, capsys):
    videos, out = tmp_path / "videos", tmp_path / "videos" / "results"
    (videos / "sub").mkdir(parents=True)
    film(videos / "a.mp4", PLAYED, 2)
    film(videos / "sub" / "b.mp4", PLAYED, 2)
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "text.mkv").write_text("not a video")
    args = (videos, "--checkpoint", checkpoint, "--out", out, "--no-video")
    assert analyze(*args) == 1
    told = capsys.readouterr().out
    assert "empty.mp4" in told
    assert "text.mkv" in told
    assert "2 of 4 videos" in told
    assert {path.name for path in (out / "sub" / "b").iterdir()} == FILES
    before = (out / "a" / "strokes.json").stat().st_mtime_ns

    film(videos / "sub" / "b.mp4", PLAYED, 3)
    assert analyze(*args) == 1
    told = capsys.readouterr().out
    assert "a.mp4: done before" in told
    assert (out / "a" / "strokes.json").stat().st_mtime_ns == before
    assert json.loads((out / "sub" / "b" / "strokes.json").read_text("utf-8"))["duration_s"] == 3.0
    assert not list(videos.rglob("*.part"))


def test_a_manifest_gives_videos_their_regions(checkpoint, tmp_path):
    film(tmp_path / "a.mp4", PLAYED, 2)
    manifest = tmp_path / "videos.csv"
    manifest.write_text("path,x0,y0,x1,y1\na.mp4,0,0,32,48\na.mp4,32,0,64,48\n")
    assert analyze(manifest, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--no-video") == 0
    told = json.loads((tmp_path / "out" / "a" / "strokes.json").read_text("utf-8"))
    assert told["players"] == ["player_1", "player_2"]


def test_a_killed_analysis_leaves_no_results_and_is_done_again(checkpoint, tmp_path, start):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    film(videos / "a.mp4", PLAYED, 1)
    film(videos / "b.mp4", PLAYED, 30)
    args = ("analyze", videos, "--checkpoint", checkpoint, "--out", out)
    process = start(*args)
    wait_for(lambda: (out / "a").is_dir() and any(out.glob(".b-*.part/strokes.csv")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "b").exists()

    process = start(*args)
    assert process.wait(120) == 0, process.stdout.read()
    assert "a.mp4: done before" in process.stdout.read()
    assert (out / "b" / "annotated.mp4").is_file()
    assert not list(out.glob("*.part"))


def test_results_do_not_replace_other_files(match, checkpoint, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        main(["analyze", str(match), "--checkpoint", str(checkpoint), "--out", str(out)])
    assert (out / "thesis.txt").read_text() == "mine"


def test_a_full_disk_is_told_and_leaves_nothing(match, checkpoint, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limit[1]))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match="Expected to write"):
            main(["analyze", str(match), "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out")])
    finally:
        signal.signal(signal.SIGXFSZ, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out-*"))


@pytest.mark.parametrize("what", ["short", "without frames", "of changing size"])
def test_videos_that_are_not_whole_are_analysed_or_refused_by_name(what, checkpoint, tmp_path):
    out = tmp_path / "out"
    if what == "short":
        whole = draw_all(tmp_path)[".ts"]
        video = tmp_path / "short.ts"
        video.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
        with pytest.warns(UserWarning, match=r"short\.ts"):
            assert analyze(video, "--checkpoint", checkpoint, "--out", out, "--no-video") == 0
        assert (out / "strokes.json").is_file()
    elif what == "without frames":
        video = tmp_path / "none.mp4"
        shutil.copy(film(tmp_path / "whole.mp4", [], 1), video)
        data = video.read_bytes()
        at = data.index(b"mdat")
        video.write_bytes(data[: at + 4] + os.urandom(len(data) - at - 4))
        with pytest.raises(ValueError, match=r"none\.mp4"):
            main(["analyze", str(video), "--checkpoint", str(checkpoint), "--out", str(out)])
        assert not out.exists()
    else:
        parts = [
            film(tmp_path / f"{n}.ts", PLAYED, 2, size=size) for n, size in enumerate([(48, 64), (32, 80)])
        ]
        video = tmp_path / "changing.ts"
        video.write_bytes(b"".join(part.read_bytes() for part in parts))
        with pytest.warns(UserWarning, match=r"changing\.ts"):  # the second part's times begin anew
            assert analyze(video, "--checkpoint", checkpoint, "--out", out, "--no-video") == 0
        assert (out / "report.html").is_file()
