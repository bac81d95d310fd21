"""The web server of the pages: who is answered, what is refused, and that nothing of it stays."""

import http.client
import json
import socket
import threading
import time

import pytest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tt_actions.local_server import MAX_BODY, LocalServer, read_json

POLICY = "default-src 'none'"


async def say_hello(_request):
    return Response("hello", media_type="text/plain")


async def echo(request):
    return JSONResponse(await read_json(request))


async def send_much(_request):
    return Response(b"x" * 20_000_000)


async def break_down(_request):
    return Response(1 / 0)


ROUTES = [
    Route("/", say_hello),
    Route("/echo", echo, methods=["POST"]),
    Route("/much", send_much),
    Route("/bug", break_down),
]


@pytest.fixture
def serve():
    before, servers = threading.active_count(), []

    def start(**options):
        servers.append(LocalServer(ROUTES, POLICY, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
    assert threading.active_count() <= before


def ask(server, path="/", method="GET", body=None, **headers):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def own(server):
    """Headers of a page of the server itself."""
    return {"Origin": server.url.rstrip("/"), "Content_Type": "application/json"}


def test_only_requests_for_this_machine_are_answered(serve):
    server = serve()
    for host in ("evil.example", "evil.example:80", "[::1", "", "127.0.0.1.evil.example", "localhost.evil"):
        assert ask(server, Host=host)[0] == 421, host
    for host in (
        "localhost:8000",
        "LOCALHOST",
        "127.0.0.1",
        "192.168.1.7:80",
        "[::1]:80",
        socket.gethostname(),
    ):
        assert ask(server, Host=host)[0] == 200, host


def test_every_answer_carries_the_policy(serve):
    server = serve()
    for path, status in (("/", 200), ("/other", 404), ("/echo", 405), ("/%2e%2e/main.py", 404)):
        found, headers, _ = ask(server, path)
        assert found == status
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers


def test_only_a_page_of_the_server_changes_something(serve):
    server = serve()
    assert ask(server, "/echo", "POST", '{"a": 1}', **own(server))[2] == b'{"a":1}'
    for origin in (
        "http://evil.example",
        "null",
        f"http://127.0.0.1:{server.port + 1}",
        f"https://127.0.0.1:{server.port}",
    ):
        assert ask(server, "/echo", "POST", "{}", **own(server) | {"Origin": origin})[0] == 403, origin
    assert ask(server, "/echo", "POST", "{}", Content_Type="application/json")[0] == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert ask(server, "/echo", "POST", "{}", **own(server) | {"Content_Type": kind})[0] == 415
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/echo", method, Origin="http://evil.example")[0] == 403


def test_strange_bodies_are_refused(serve):
    server = serve()
    for body in (b"", b"[1]", b"{", b"\xff\xfe"):
        assert ask(server, "/echo", "POST", body, **own(server))[0] == 400, body
    assert ask(server, "/echo", "POST", json.dumps({"a": "x" * MAX_BODY}), **own(server))[0] == 413


def test_it_serves_ipv6(serve):
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    server = serve(host="::1")
    assert server.url == f"http://[::1]:{server.port}/"
    assert ask(server)[2] == b"hello"
    assert ask(server, "/echo", "POST", "{}", **own(server))[0] == 200


def test_an_address_that_is_not_free_is_reported(serve):
    server = serve()
    for port, reason in ((server.port, "in use"), (70000, "no such port")):
        with pytest.raises(OSError, match=f"but got: .*({reason}).* Choose another `port` .*, or rest.$"):
            serve(port=port, advice=", or rest")
    with pytest.raises(OSError, match=r"at 203\.0\.113\.1, port 0"):
        serve(host="203.0.113.1")


def test_a_bug_is_reported_with_its_traceback(serve, capfd):
    assert ask(serve(), "/bug")[0] == 500
    said = capfd.readouterr().err
    assert said.count("ZeroDivisionError") == 1
    assert "break_down" in said


def test_strange_requests_leave_the_terminal_quiet(serve, capfd):
    server = serve()
    for request in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ):
        with socket.create_connection((server.host, server.port), 5) as client:
            client.sendall(request)
            assert client.recv(100).split()[1] in (b"400", b"421")
    with socket.create_connection((server.host, server.port), 5) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        )
        assert client.recv(100).split()[1] == b"200"
    assert capfd.readouterr() == ("", "")


def is_dropped(client):
    """Whether the server has hung up, within some seconds."""
    client.settimeout(5)
    try:
        while client.recv(1_000_000):
            continue
    except ConnectionError:
        return True
    return True


def test_browsers_that_do_nothing_are_dropped(serve):
    server = serve(patience_s=0.3)
    silent, slow, greedy = (socket.create_connection((server.host, server.port)) for _ in range(3))
    slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    greedy.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(1)
    with silent, slow, greedy:
        for client in (silent, slow, greedy):
            assert is_dropped(client)
    assert not server._server.server_state.connections


def test_it_closes_with_browsers_that_hang(serve):
    server = serve()
    clients = [socket.create_connection((server.host, server.port)) for _ in range(80)]
    for number, client in enumerate(clients[:70]):
        path = "much" if number % 2 else ""
        client.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    time.sleep(0.5)
    begun_s = time.monotonic()
    server.close()
    assert time.monotonic() - begun_s < 3
    for client in clients:
        client.close()
    again = serve(port=server.port)  # the port is free at once
    assert ask(again)[0] == 200
