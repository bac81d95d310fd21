"""Analysis of a whole video: streams, idle time for models of clips, and players."""

import numpy as np
import psutil
import pytest
import torch
from brightness import FPS, LEVELS, NAMES, PLAYED, SIZE, Brightness, film, recognizer

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.specs import iter_tracks
from tt_actions.clips.strokes import IDLE, STROKES
from tt_actions.clips.typical import TypicalClip
from tt_actions.models import C3D, CNNLSTM, CNNLSTMPlus
from tt_actions.models.crf import CRF
from tt_actions.recognition.pipeline import analyze_video, open_stream
from tt_actions.recognition.players import lay_tracks
from tt_actions.recognition.stream import CausalStream, WindowStream, gather_stretches
from tt_actions.video.ahead import read_ahead
from tt_actions.video.encoder import write_video


@pytest.fixture
def match(tmp_path):
    return film(tmp_path / "match.mp4", PLAYED)


def stream_in(stream, frames, sizes):
    log_probs = [stream.push(part) for part in np.split(frames, np.cumsum(sizes)[:-1], axis=1)]
    return torch.cat([*log_probs, stream.finish()], 1)


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("network_class", [CNNLSTM, CNNLSTMPlus])
@torch.no_grad()
def test_a_causal_model_predicts_the_same_in_a_stream_as_on_the_whole(network_class, delay):
    model = recognizer(network_class(5, delay=delay))
    frames = np.random.default_rng(0).integers(0, 256, (2, 23, *SIZE, 3), dtype=np.uint8)
    inputs = torch.from_numpy(frames).permute(0, 1, 4, 2, 3)
    whole = model(inputs, torch.tensor([23, 23])).log_softmax(-1)
    for sizes in ([23], [1] * 23, [2, 20, 1]):
        streamed = stream_in(CausalStream(model), frames, sizes)
        torch.testing.assert_close(streamed, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("num_frames", [1, 5, 8, 9, 40])
@torch.no_grad()
def test_windows_return_every_frame_once_for_any_size_of_stretches(num_frames):
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


def test_every_model_gets_the_stream_that_suits_it():
    assert isinstance(recognizer(CNNLSTM(5)).stream(), CausalStream)
    assert isinstance(open_stream(recognizer(CRF(5, CNNLSTM))), CausalStream)
    assert isinstance(open_stream(recognizer(C3D(5))), WindowStream)
    assert isinstance(open_stream(recognizer(CRF(5, C3D))), WindowStream)
    model = recognizer(CNNLSTM(4), STROKES)
    model.typical_clip = TypicalClip(1.6, 9.0)
    stream = open_stream(model)
    assert isinstance(stream, WindowStream)
    assert (stream.window, stream.stride) == (16, 4)


def with_chain(network, seed=0):
    """A conditional random field whose chain changes the result."""
    crf = CRF(len(NAMES), network)
    with torch.no_grad():
        weights = torch.randn(crf.transitions.shape, generator=torch.Generator().manual_seed(seed))
        crf.transitions.copy_(3 * weights)
    return crf


@pytest.mark.parametrize("network", [CNNLSTM, C3D])
def test_the_chain_of_a_random_field_is_applied_once(network, tmp_path):
    """The probabilities of a video that fits one window are those of the network itself."""
    model = recognizer(with_chain(network))
    video = film(tmp_path / "short.mp4", [("serve", 0.2, 0.5)], seconds=0.8)
    frames = np.stack([images[0] for _, images in iter_tracks(video, model.preprocessing.spec, [None])])
    inputs = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]
    with torch.no_grad():
        expected = model(inputs, torch.tensor([len(frames)]))[0].exp()
    found = analyze_video(model, video).probabilities[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_random_field_of_clips_knows_idle_time_by_motion_as_others_do(tmp_path):
    model = recognizer(CRF(4, CNNLSTM), STROKES)
    still = film(tmp_path / "still.mp4", [])
    analysis = analyze_video(model, still)
    assert not analysis.strokes
    assert analysis.probabilities[..., -1].min() > 0.9


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


def test_memory_stays_flat_however_long_the_video(tmp_path):
    """Small results that are kept must not hold the memory of frames that are dropped."""
    video = film(tmp_path / "long.mp4", PLAYED, seconds=600, fps=10)
    model = recognizer(Brightness(), size=(64, 48))
    used, process = {}, psutil.Process()
    analyze_video(model, video, on_progress=lambda done_s: used.update({done_s: process.memory_info().rss}))
    early, late = (max(rss for s, rss in used.items() if a < s <= b) for a, b in ((150, 250), (500, 600)))
    assert late - early < 15e6


def test_players_of_two_halves_are_distinguished(tmp_path):
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
    """Classifies every clip as a smash, with a given probability."""

    def __init__(self, probability):
        super().__init__(4)
        self.probability = probability

    def clip_log_probability(self, logits, lengths):
        del lengths
        others = [(1 - self.probability) / 3] * 3
        return torch.tensor([*others, self.probability]).log().expand(len(logits), 4)


@pytest.mark.parametrize(("probability", "is_sure"), [(0.9, True), (0.3, False)])
def test_a_model_of_clips_is_idle_where_motion_or_confidence_is_low(probability, is_sure):
    """Play that never stops isn't idle time, and a cut isn't play."""
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


def test_reading_ahead_passes_on_items_and_errors_and_can_stop_early():
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
    spec = Preprocessing(FPS, SIZE).spec
    stretches = list(gather_stretches(iter_tracks(match, spec, [None, (0, 0, 20, 20)]), 25))
    assert [len(stretch.times_s) for stretch in stretches] == [25, 25, 10]
    assert stretches[0].frames.shape == (2, 25, *SIZE, 3)


def test_one_name_is_one_player():
    assert [track.name for track in lay_tracks("left", [], 640, 480)] == ["left"]


@pytest.mark.parametrize(
    ("names", "rois"),
    [(["a", "a"], []), (["a", "b", "c"], [(0, 0, 4, 4)] * 2), (["a", "b"], [(0, 0, 1, 9)])],
)
def test_players_that_do_not_fit_the_picture_are_refused(names, rois):
    with pytest.raises(ValueError, match="Expected"):
        lay_tracks(names, rois, 640, 480)
