"""Strokes of a video that runs: a paced file, a slow network, a lost stream."""

import json
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from broadcast import Broadcast
from glow import CLASSES, FILES, LEFT, PLAYERS, PREPROCESSING, RIGHT, draw, recognizer
from run_files import PATIENCE_S, rows, wait_for

from tt_actions.class_paths import TRUST_VARIABLE, trust
from tt_actions.errors import VideoError
from tt_actions.main import main
from tt_actions.match.live.frame_part import choose_lag
from tt_actions.match.live.frames import FrameGrid
from tt_actions.match.live.session import run_live
from tt_actions.match.live.source import LiveSource
from tt_actions.match.live.watch import describe_drops
from tt_actions.recognition.pipeline import analyze_video
from tt_actions.video.decoder import VideoWarning, open_decoder

PARTS = Path(__file__).parents[2] / "parts"
"""Where the network is, for processes of their own."""


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("live") / "match.mp4", LEFT, RIGHT)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file like those of a training, of a network of a package that the tests trust."""
    trust(["glow"])
    path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
    network = {"class_path": "glow.Glow", "init_args": {"num_classes": 5}}
    hyper_parameters = {
        "network": network,
        "class_names": [*CLASSES, "idle"],
        "preprocessing": PREPROCESSING,
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
        "_instantiator": "pytorch_lightning.cli.instantiate_module",
    }
    content = {
        "pytorch-lightning_version": "2.6.0",
        "hparams_name": "kwargs",
        "state_dict": {"network.gain": torch.ones(())},
    }
    torch.save(content | {"hyper_parameters": hyper_parameters}, path)
    return path


def tell(strokes):
    return [(s.player, s.label, round(s.start_s, 2), round(s.end_s, 2)) for s in strokes]


def drawn():
    """What is drawn, as a network finds it that samples ten frames a second: by frames."""
    both = [*((PLAYERS[0], *stroke) for stroke in LEFT), *((PLAYERS[1], *stroke) for stroke in RIGHT)]
    return sorted((p, CLASSES[c], round(a - 0.05, 2), round(b - 0.05, 2)) for p, a, b, c in both)


@pytest.mark.parametrize("delay", [0, 2])
def test_a_paced_file_gives_the_strokes_of_its_analysis(video, delay):
    model = recognizer(delay=delay)
    for _ in range(3):  # a machine that stands still for a while drops frames
        told, seen = [], []
        begun_s = time.monotonic()
        result = run_live(
            model, LiveSource(str(video)), PLAYERS, on_stroke=told.append, on_status=seen.append
        )
        assert time.monotonic() - begun_s > 3.3
        if not result.num_dropped:
            break
    whole = analyze_video(model, video, PLAYERS)
    assert result.state == "ended"
    assert result.num_dropped == 0
    assert sorted(tell(result.analysis.strokes)) == sorted(tell(whole.strokes)) == drawn()
    assert [stroke.start_s for stroke in result.analysis.strokes] == [s.start_s for s in whole.strokes]
    np.testing.assert_array_equal(result.analysis.times_s, whole.times_s)
    np.testing.assert_allclose(result.analysis.probabilities, whole.probabilities, atol=1e-3)
    assert result.analysis.duration_s == whole.duration_s
    assert result.strokes == tuple(told)
    assert max(stroke.delay_s for stroke in told) < 0.9  # 0.47 and what the machine takes
    assert len(result.latencies_s) == len(whole.times_s)
    assert seen[-1].state == "ended"
    assert {status.state for status in seen[:-5]} == {"running"}


def test_the_lag_leaves_time_for_the_networks_own_delay():
    assert [choose_lag(recognizer(delay=delay)) for delay in (0, 2, 20)] == [3, 1, 1]


def test_a_slow_network_drops_frames_and_says_how_many(video):
    result = run_live(recognizer(slow_s=0.23), LiveSource(str(video)), PLAYERS)
    num_frames = len(result.latencies_s)
    assert result.num_dropped > 10
    assert num_frames + result.num_dropped == 34
    (remark,) = describe_drops(result)
    assert remark.startswith(f"The machine was too slow: {result.num_dropped} of 34 images (")
    assert describe_drops(replace(result, num_dropped=0)) == []
    assert result.latencies_s.max() < 1.5
    assert len(result.analysis.times_s) >= 32  # what was dropped keeps its place in time
    np.testing.assert_allclose(np.diff(result.analysis.times_s), 0.1)


@pytest.mark.parametrize("fps", [7, 20, 33])
def test_the_grid_is_that_of_the_decoder(video, fps):
    grid, given = FrameGrid(fps, gap_s=2.0), []
    with open_decoder(video) as decoder:
        wanted = [(time_s, frame.pts) for time_s, frame in decoder.frames_at(fps, 0, np.inf)]
    with open_decoder(video) as decoder:
        for time_s, frame in decoder.frames():
            given += grid.push(time_s, 100 + time_s, frame)
        given += grid.until(decoder.end_s)
    assert [(frame.time_s, frame.frame.pts) for frame in given] == wanted
    assert {frame.part for frame in given} == {1}
    np.testing.assert_allclose(
        [frame.available_s - 100 for frame in given], [w[0] for w in wanted], atol=0.05
    )


def test_a_lost_stream_is_tried_again_then_reported_and_kept(tmp_path, checkpoint, capsys):
    content = draw(tmp_path / "match.ts", [(0.6, 1.2, 0)], [], duration_s=2.0)
    server = Broadcast(content, 2.0, times=2)
    words = ["live", "--checkpoint", checkpoint, "--source", server.address, "--out", tmp_path / "out"]
    words += ["--retry-s", 2, "--no-page", "--players", "left,right"]
    with pytest.raises(VideoError, match=r"Expected frames from 'tcp://127.0.0.1:\d+/court', but got none"):
        main([str(word) for word in words])
    said = capsys.readouterr().out
    assert "is lost: the stream ended; reconnecting in 1 s." in said
    assert said.count("is back") == 1  # not when it is given up
    assert "secret" not in said
    document = json.loads((tmp_path / "out" / "strokes.json").read_text())
    assert [stroke["label"] for stroke in document["strokes"]] == ["serve", "serve"]
    first, second = (stroke["start_s"] for stroke in document["strokes"])
    assert 2.5 < second - first < 6  # times go on while the stream is lost
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert "secret" not in (tmp_path / "out" / "report.html").read_text()


def test_ctrl_c_ends_it_and_writes_the_files(tmp_path, checkpoint, start):
    long = draw(tmp_path / "long.mp4", [(0.4, 1.0, 0)], [], duration_s=15.0)
    words = ["--checkpoint", checkpoint, "--source", long, "--out", tmp_path / "out", "--port", 0]
    words += ["--players", "left,right"]
    process = start("live", *words, PYTHONPATH=str(PARTS), **{TRUST_VARIABLE: "glow"})
    line = process.stdout.readline()
    assert line.startswith("Open http://127.0.0.1:"), process.communicate()
    line = process.stdout.readline()
    assert line.split()[:3] == ["0:00.3", "left", "serve"]
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, rest
    assert rest.splitlines()[-1].startswith("1 stroke in 0:0")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {"annotated.mp4"}
    assert "<video" in (tmp_path / "out" / "report.html").read_text()


class Terminate(threading.Thread):
    """Sends SIGTERM to this process half a second after somebody else than us handles it, and only then."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()

    def __enter__(self):
        self.handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.start()

    def __exit__(self, *_):
        self.over.set()
        self.join()  # a late signal is ignored; under the usual handler it would end all tests
        signal.signal(signal.SIGTERM, self.handler)

    def run(self):
        while signal.getsignal(signal.SIGTERM) == signal.SIG_IGN:
            if self.over.wait(0.01):
                return
        if not self.over.wait(0.5):
            os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_ends_it_too(tmp_path, checkpoint, video):
    words = ["live", "--checkpoint", checkpoint, "--source", video, "--out", tmp_path / "out", "--no-page"]
    with Terminate():
        main([str(word) for word in words])
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN  # as it was
    assert json.loads((tmp_path / "out" / "strokes.json").read_text())["duration_s"] < 3


def test_a_session_is_kept_on_disk_as_it_goes_on_and_never_written_over(tmp_path, checkpoint, video, start):
    out = tmp_path / "out"
    words = ["live", "--checkpoint", str(checkpoint), "--source", str(video), "--out", str(out), "--no-page"]
    process = start(*words, PYTHONPATH=str(PARTS), **{TRUST_VARIABLE: "glow"})
    journal = out / "strokes_so_far.csv"
    wait_for(lambda: journal.is_file() and journal.read_text().count("\n") > 1, process)
    process.kill()
    process.wait()
    assert rows(journal)[0]["label"] in CLASSES
    with pytest.raises(FileExistsError, match="Expected a new or empty folder"):
        main(words)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--port", "99999"], "no such port"), (["--no-page", "--source", "gone.mp4"], "gone")],
)
def test_what_can_not_begin_leaves_nothing(tmp_path, checkpoint, video, options, message):
    words = ["live", "--checkpoint", str(checkpoint), "--source", str(video), "--out", str(tmp_path / "out")]
    with pytest.raises((OSError, ValueError), match=message):
        main([*words, *options])
    assert not (tmp_path / "out").exists()


def test_what_is_no_source_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    broken = {
        str(tmp_path / "none.mp4"): "there is no file",
        f"tcp://127.0.0.1:{port}": "refused",
        "987": "no such camera",
    }
    for source, reason in broken.items():
        with pytest.raises(VideoError, match=reason):
            LiveSource(source).start(10)
    with pytest.raises(ValueError, match="the scheme 'ftp'"):
        LiveSource("ftp://127.0.0.1/a.mp4")


def test_damage_of_a_file_is_a_remark_in_the_results(tmp_path, checkpoint):
    path = draw(tmp_path / "match.mp4", [(0.4, 1.0, 0)], [], duration_s=1.5)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(path.read_bytes()[:-20])
    words = ["live", "--checkpoint", checkpoint, "--source", damaged, "--out", tmp_path / "out", "--no-page"]
    with pytest.warns(VideoWarning, match="is cut off or damaged") as caught:
        main([str(word) for word in [*words, "--players", "left,right"]])
    assert len(caught) == 1
    remarks = json.loads((tmp_path / "out" / "strokes.json").read_text())["remarks"]
    assert remarks[0] == str(caught[0].message)
