"""The page of a video that runs, in a browser."""

import http.client
import socket
import threading
import time

import numpy as np
import pytest
from glow import CLASSES, LEFT, PLAYERS, RIGHT, draw, recognizer
from pages import HOSTILE, wait_for

from tt_actions.match.live.page import LivePage
from tt_actions.match.live.results import LiveStatus
from tt_actions.match.live.session import LiveAnalysis, run_live
from tt_actions.match.live.source import LiveSource
from tt_actions.match.live.view import LiveView
from tt_actions.recognition.players import PlayerTrack


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("live") / "match.mp4", LEFT, RIGHT)


class Show:
    """A live analysis with its page, in a thread."""

    def __init__(self, video, names=CLASSES, players=PLAYERS):
        self.analysis = LiveAnalysis(recognizer(names), LiveSource(str(video)), players)
        size = self.analysis.start()
        self.page = LivePage(LiveView(self.analysis.source.title, self.analysis.tracks, names, *size), port=0)
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
def open_page(visits):
    """Opens the page; afterwards its console must be silent and nothing but its server asked for."""
    yield visits.open
    visits.close()
    assert visits.said == []
    own = (*visits.urls, "blob:http://127.0.0.1:", "data:,")
    assert [url for url in visits.asked if not url.startswith(own)] == []


def test_the_page_shows_picture_strokes_and_counts(video, show, open_page):
    live = show(video)
    page = open_page(live.page.url)
    wait_for(page, "document.getElementById('state').textContent === 'running'")
    wait_for(page, "document.getElementById('picture').naturalWidth > 0")
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 64
    before = page.evaluate("document.getElementById('picture').src")
    wait_for(page, f"document.getElementById('picture').src !== '{before}'")
    wait_for(page, "document.querySelectorAll('#strokes li').length >= 1")
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


@pytest.mark.parametrize("width", [390, 700, 900, 1280])
def test_tiles_fill_their_rows(video, show, open_page, width):
    page = open_page(show(video).page.url, width=width)
    room = page.locator(".tiles").bounding_box()
    rows = {}
    for tile in page.locator(".tiles div").all():
        box = tile.bounding_box()
        rows.setdefault(round(box["y"]), []).append(box)
    assert all(row[-1]["x"] + row[-1]["width"] >= room["x"] + room["width"] - 1 for row in rows.values())
    assert max(map(len, rows.values())) - min(map(len, rows.values())) <= 1


def ask(page, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", page.server.port, timeout=5)
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
    assert ask(live.page, "/", method="POST")[0] == 403
    status, headers, picture = ask(live.page, "/picture.jpg")
    assert status == 200
    assert picture.startswith(b"\xff\xd8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert ask(live.page, "/events")[1]["Content-Type"].startswith("text/event-stream")
    with pytest.raises(OSError, match="Choose another `port`"):
        LivePage(live.page.view, port=live.page.server.port)


def test_browsers_that_take_nothing_hold_up_nothing(video):
    page = LivePage(LiveView("match", (PlayerTrack("player", None),), CLASSES, 64, 48), port=0)
    idle = []
    for number in range(80):  # more than are answered at once
        client = socket.create_connection(("127.0.0.1", page.server.port))
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
