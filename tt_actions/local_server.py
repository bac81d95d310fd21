"""A small web server for pages of this machine: only its own pages may read from it or change anything."""

import asyncio
import ipaddress
import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"
"""Default address, which only browsers on this machine reach."""

PATIENCE_S = 10.0
"""Timeout for a browser that reads nothing or does not finish its request."""

MAX_BODY = 65536
"""Maximum size of a request's body in bytes."""

_MAX_CONNECTIONS = 64  # at the same time
_GRACE_S = 0.5  # for the last responses
_SAFE = ("GET", "HEAD")


class LocalServer:
    """Serves the pages of one application in a thread of its own.

    Requests for another host name are rejected. Otherwise a web page could read everything by pointing its
    own domain at this machine. Requests that may change something must come from a page of this server and
    contain JSON, which a page of another site can't send without asking. A browser that reads nothing is
    disconnected.

    Args:
        routes: Starlette's routes.
        policy: Content-Security-Policy of all responses.
        host: Address to serve at.
        port: Port to serve at; 0 chooses a free one.
        advice: End of the error's last sentence if the address is not available: what else to do.
        patience_s: Timeout for a browser that reads nothing.

    Raises:
        OSError: If the address is not available.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        policy: str,
        host: str = HOST,
        port: int = 0,
        *,
        advice: str = "",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.host = host
        self.is_closing = False
        self._socket = _listen(host, port, advice)
        self.port: int = self._socket.getsockname()[1]
        self._changed = asyncio.Event()
        app = Starlette(routes=routes, exception_handlers={Exception: _report_bug})
        self._server = _Server(_configure(_Guard(app, policy, host), patience_s))
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="web server", daemon=True)
        self._thread.start()
        self._server.is_ready.wait()

    @property
    def url(self) -> str:
        """The URL of the first page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def notify(self) -> None:
        """Wake the requests that wait for a change; any thread may call it."""
        if not self.is_closing:
            self._server.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_until(self, is_true: Callable[[], bool], timeout_s: float) -> None:
        """Wait in a request until a condition is true, the server closes, or the time is over.

        Args:
            is_true: The condition; it is checked after each :meth:`notify`.
            timeout_s: Maximum seconds to wait.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not is_true() and not self.is_closing:
                    await self._changed.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """Stop the server, after a short time in which the last responses reach the browsers."""
        if self.is_closing:
            return
        self.is_closing = True
        self._server.loop.call_soon_threadsafe(self._wake)
        end_s = time.monotonic() + _GRACE_S
        while self._server.server_state.tasks and time.monotonic() < end_s:
            time.sleep(0.02)
        self._server.loop.call_soon_threadsafe(self._server.hang_up)
        self._thread.join()
        self._socket.close()


def is_local(host: str) -> bool:
    """Return whether a host is reachable from this machine only.

    Args:
        host: A name or an address.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def read_json(request: Request) -> dict[str, Any]:
    """Read the JSON object that a page has sent.

    Args:
        request: The request.

    Raises:
        HTTPException: If the body is too large, too slow, or something else.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY:
                    raise HTTPException(413, f"Expected at most {MAX_BODY} bytes.")
    except TimeoutError as error:
        raise HTTPException(408, "The request was not completed.") from error
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HTTPException(400, "Expected a JSON object.")
    return content


def _listen(host: str, port: int, advice: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not 0 <= port < 65536:
            raise OSError(0, "no such port")
        return socket.create_server((host, port), family=family, backlog=_MAX_CONNECTIONS)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # create_server appends the address
        raise OSError(
            f"Expected to serve the page at {host}, port {port}, but got: {reason}. Choose another `port` "
            f"(0 chooses a free one){advice}."
        ) from error


def _configure(app: ASGIApp, patience_s: float) -> uvicorn.Config:
    """Return uvicorn's settings: one known implementation of each part, and nothing in the terminal."""

    class Protocol(_Protocol):
        patience = patience_s

    return uvicorn.Config(
        app,
        loop="asyncio",
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # bugs are reported by _report_bug
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        backlog=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=1,
    )


class _Server(uvicorn.Server):
    """A server whose thread says when it listens, and which can be stopped from other threads."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = Event()
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.is_ready.set()

    def hang_up(self) -> None:
        """Disconnect all browsers and stop."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        self.should_exit = True


class _Protocol(H11Protocol):
    """A connection that is closed if the browser sends no request, or reads none of the response."""

    patience = PATIENCE_S
    stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect_request()

    def _expect_request(self) -> None:
        if self.timeout_keep_alive_task is None:
            limit_s = min(PATIENCE_S, self.patience)
            self.timeout_keep_alive_task = self.loop.call_later(limit_s, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._expect_reading()  # the last bytes may still be unread

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def _expect_reading(self) -> None:
        self._calm()
        self.stuck = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._calm()

    def _calm(self) -> None:
        if self.stuck is not None:
            self.stuck.cancel()
            self.stuck = None


class _Guard:
    """Checks where a request comes from, and adds the security headers to its response."""

    def __init__(self, app: ASGIApp, policy: str, host: str) -> None:
        self.app, self.host = app, host
        self.headers = {
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        refusal = self._refuse(scope["method"], Headers(scope=scope))
        try:
            await (refusal or self.app)(scope, receive, send_with_headers)
        except ClientDisconnect:
            return

    def _refuse(self, method: str, headers: Headers) -> PlainTextResponse | None:
        """Return the response to a request that must not be answered, or None."""
        host = headers.get("host", "")
        if not self._serves(host):
            return PlainTextResponse("This server has another host name.\n", 421)
        if method in _SAFE:
            return None
        if headers.get("origin") != f"http://{host}":
            return PlainTextResponse("Only a page of this server may do this.\n", 403)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("Expected JSON.\n", 415)
        return None

    def _serves(self, host: str) -> bool:
        """Return whether a request is addressed to this server, by an IP address or one of its names."""
        name = ""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            ipaddress.ip_address(name)
        except ValueError:
            return bool(name) and name in {"localhost", self.host.lower(), socket.gethostname().lower()}
        return True


async def _report_bug(_request: Request, error: Exception) -> PlainTextResponse:
    """Show the traceback of a bug, as the command line does."""
    traceback.print_exception(error, file=sys.stderr)
    return PlainTextResponse("This is a bug; the terminal shows it.\n", 500)
