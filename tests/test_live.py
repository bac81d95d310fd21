"""Strokes of a video that runs: a paced file, a slow network, a lost stream, and the page in a browser."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from dataclasses import asdict

import numpy as np
import pytest
import torch
from test_report_page import HOSTILE, wait_for
from torch import nn

from tt_actions.decoder import VideoError, open_decoder
from tt_actions.encoder import write_video
from tt_actions.main import main
from tt_actions.match.analyze import analyze_video
from tt_actions.match.live import LiveAnalysis, LiveStatus, choose_lag, run_live
from tt_actions.match.live_page import LivePage, Scene
from tt_actions.match.live_source import FrameGrid, LiveSource
from tt_actions.match.players import PlayerTrack
from tt_actions.models.base import CausalModel
from tt_actions.preprocessing import Preprocessing
from tt_actions.task import StrokeRecognizer

CLASSES = ("serve", "forehand", "backhand", "smash")
PLAYERS = ("left", "right")
PREPROCESSING = asdict(Preprocessing(10, (16, 16), aspect="stretch", sampling="all"))
FILES = {"strokes.csv", "strokes.json", "frames.npz", "report.html"}
LEFT = [(0.4, 1.0, 0), (1.6, 2.2, 2)]
RIGHT = [(0.8, 1.6, 1), (2.2, 2.9, 3)]


class Glow(CausalModel):
    """Tells the class by how bright a picture is, in ``slow_s`` seconds a frame."""

    def __init__(self, num_classes: int, slow_s: float = 0.0, delay: int = 0):
        super().__init__(num_classes, delay=delay)
        self.slow_s = slow_s
        self.gain = nn.Parameter(torch.ones(()))  # a network has something to learn

    def advance(self, inputs, state=None, lengths=None):  # noqa: ARG002
        time.sleep(self.slow_s * inputs.shape[1])
        brightness = (inputs.mean((2, 3, 4)) * 0.25 + 0.5) * 255
        if self.delay:
            late = inputs.new_zeros(len(inputs), self.delay) if state is None else state
            brightness = torch.cat([late, brightness], 1)
            brightness, state = brightness[:, : inputs.shape[1]], brightness[:, inputs.shape[1] :]
        levels = torch.tensor([*(60.0 * (c + 1) for c in range(self.num_classes - 1)), 0.0])
        return -self.gain * ((brightness[..., None] - levels) / 15) ** 2, state


def recognizer(names=CLASSES, **options):
    network = Glow(len(names) + 1, **options)
    return StrokeRecognizer(network, [*names, "idle"], PREPROCESSING, torch.optim.SGD).eval()


def draw(path, left, right, duration_s=3.4, fps=20):
    """A video whose halves are bright while their player plays, the brighter the later the class."""
    frames = np.zeros((round(duration_s * fps), 48, 64, 3), np.uint8)
    for half, strokes in ((slice(0, 32), left), (slice(32, 64), right)):
        for start_s, end_s, label in strokes:
            frames[round(start_s * fps) : round(end_s * fps), :, half] = 60 * (label + 1)
    write_video(path, frames, fps=fps)
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("live") / "match.mp4", LEFT, RIGHT)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file like those of a training, of a network of this module."""
    path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
    network = {"class_path": "test_live.Glow", "init_args": {"num_classes": 5}}
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


class Broadcast(threading.Thread):
    """Sends a video to whoever connects, at the pace of real time, a number of times; then nobody answers."""

    def __init__(self, path, duration_s, times):
        super().__init__(daemon=True)
        self.content, self.duration_s, self.times = path.read_bytes(), duration_s, times
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://user:secret@127.0.0.1:{self.socket.getsockname()[1]}/court"
        self.start()

    def run(self):
        with self.socket:
            for _ in range(self.times):
                connection, _ = self.socket.accept()
                with connection:
                    chunks = np.array_split(
                        np.frombuffer(self.content, np.uint8), round(50 * self.duration_s)
                    )
                    for chunk in chunks:
                        connection.sendall(chunk.tobytes())
                        time.sleep(0.02)


def test_a_lost_stream_is_tried_again_then_reported_and_kept(tmp_path, checkpoint, capsys):
    content = draw(tmp_path / "match.ts", [(0.6, 1.2, 0)], [], duration_s=2.0)
    server = Broadcast(content, 2.0, times=2)
    words = ["live", "--checkpoint", checkpoint, "--source", server.address, "--out", tmp_path / "out"]
    words += ["--retry-s", 2, "--no-page", "--players", "left,right"]
    with pytest.raises(VideoError, match=r"Expected pictures from '127.0.0.1_.*_court', but got none: "):
        main([str(word) for word in words])
    said = capsys.readouterr().out
    assert "is lost: it ended; trying again in 1 s." in said
    assert "is there again" in said
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
    process = start("live", *words, PYTHONPATH=__file__.rpartition("/")[0])
    line = process.stdout.readline()
    assert line.startswith("Watch at http://127.0.0.1:"), process.communicate()
    line = process.stdout.readline()
    assert line.split()[:3] == ["0:00.3", "left", "serve"]
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[0]
    assert process.returncode == 0, rest
    assert rest.splitlines()[-1].startswith("1 stroke in 0:0")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {"annotated.mp4"}
    assert "<video" in (tmp_path / "out" / "report.html").read_text()


def test_sigterm_ends_it_too(tmp_path, checkpoint, video):
    words = ["live", "--checkpoint", checkpoint, "--source", video, "--out", tmp_path / "out", "--no-page"]
    handler = signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # before the model is loaded it would end the tests
    threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
    try:
        main([str(word) for word in words])
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN  # as it was
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert json.loads((tmp_path / "out" / "strokes.json").read_text())["duration_s"] < 3


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
    with pytest.raises(ValueError, match="one of 'ftp'"):
        LiveSource("ftp://127.0.0.1/a.mp4")


class Show:
    """A live analysis with its page, in a thread."""

    def __init__(self, video, names=CLASSES, players=PLAYERS):
        self.analysis = LiveAnalysis(recognizer(names), LiveSource(str(video)), players)
        size = self.analysis.start()
        self.page = LivePage(Scene(self.analysis.source.title, self.analysis.tracks, names, *size), port=0)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.result = self.analysis.run(self.page.add_stroke, self.page.update)

    def close(self):
        self.analysis.stop()
        self.thread.join()
        self.page.close()


@pytest.fixture
def show():
    shows = []

    def begin(*args, **options):
        shows.append(Show(*args, **options))
        return shows[-1]

    yield begin
    for each in shows:
        each.close()


@pytest.fixture
def open_page(browser):
    """Opens the page; afterwards its console must be silent and nothing but its server asked for."""
    contexts, said, asked, urls = [], [], [], []

    def visit(url, width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        urls.append(url)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((*urls, "blob:http://127.0.0.1:", "data:,"))] == []


def test_the_page_shows_picture_strokes_and_counts(video, show, open_page):
    live = show(video)
    page = open_page(live.page.url)
    wait_for(page, "document.getElementById('picture').naturalWidth > 0")
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 64
    before = page.evaluate("document.getElementById('picture').src")
    wait_for(page, f"document.getElementById('picture').src !== '{before}'")
    wait_for(page, "document.querySelectorAll('#strokes li').length >= 1")
    assert page.inner_text("#state") == "running"
    later = open_page(live.page.url)  # a second browser, which comes in the middle
    for each in (page, later):
        wait_for(each, "document.getElementById('state').textContent === 'ended'")
        assert each.inner_text("#total") == "4"
        counts = {
            cell.get_attribute("data-count"): cell.inner_text() for cell in each.locator("[data-count]").all()
        }
        played = {"0,0", "0,2", "1,1", "1,3"}
        assert counts == {f"{p},{c}": str(int(f"{p},{c}" in played)) for p in range(2) for c in range(4)}
        rows = [row.split("\n")[2] for row in each.locator("#strokes li").all_inner_texts()]
        strokes = [told.stroke for told in reversed(live.result.strokes)]
        assert rows == [f"{stroke.label}, {stroke.player}" for stroke in strokes]
        assert each.inner_text("#dropped") == str(live.result.num_dropped)
        assert each.inner_text("#delay").endswith("\u00a0s")
    boxes = page.locator(".region").all()
    assert [box.evaluate("e => e.style.left") for box in boxes] == ["0%", "50%"]


def test_strange_names_stay_text_on_a_phone(video, show, open_page):
    players = ("]]><!--<script>" + "x" * 60, "<b>'\"&lt;")
    live = show(video, names=HOSTILE, players=players)
    page = open_page(live.page.url, width=375, color_scheme="dark")
    wait_for(page, "document.querySelectorAll('#strokes li').length >= 2")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.title() == "match.mp4: live"
    assert page.locator("img").count() == 1
    assert page.locator("script").count() == 2
    assert page.locator("thead th").all_text_contents()[1:] == list(players)
    names = page.locator(".counts tbody th span").all_text_contents()
    assert names == list(HOSTILE)
    assert players[1] in page.locator(".tag").nth(1).inner_text()


def ask(page, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", page.server.server_address[1], timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = b"" if path == "/events" else answer.read()
    connection.close()
    return answer.status, answer.headers, content


def test_the_server_answers_its_own_page_alone(video, show):
    live = show(video)
    assert ask(live.page, "/", Host="evil.example:80")[0] == 421
    assert ask(live.page, "/events", Host="evil.example")[0] == 421
    assert ask(live.page, "/picture.jpg", Host="[::1")[0] == 421
    for host in ("localhost:8000", "127.0.0.1", "[::1]:80"):
        assert ask(live.page, "/", Host=host)[0] == 200
    assert ask(live.page, "/../main.py")[0] == 404
    assert ask(live.page, "/", method="POST")[0] == 501
    status, headers, picture = ask(live.page, "/picture.jpg")
    assert status == 200
    assert picture.startswith(b"\xff\xd8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert ask(live.page, "/events")[1]["Content-Type"] == "text/event-stream"
    with pytest.raises(OSError, match="Choose another `port`"):
        LivePage(live.page.scene, port=live.page.server.server_address[1])


def test_browsers_that_take_nothing_hold_up_nothing(video):
    page = LivePage(Scene("match", (PlayerTrack("player", None),), CLASSES, 64, 48), port=0)
    idle = []
    for number in range(80):  # more than are answered at once
        client = socket.create_connection(page.server.server_address)
        path = "/events" if number % 2 else "/picture.jpg?after=0"
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        idle.append(client)
    took_s = []

    def update(status: LiveStatus):
        begun_s = time.monotonic()
        page.update(status)
        took_s.append(time.monotonic() - begun_s)

    for _ in range(3):  # a machine that stands still for a while drops frames
        result = run_live(recognizer(), LiveSource(str(video)), on_stroke=page.add_stroke, on_status=update)
        if not result.num_dropped:
            break
    page.close()
    for client in idle:
        client.close()
    assert result.state == "ended"
    assert result.num_dropped == 0
    assert np.median(took_s) < 0.05
