"""A small shared cache of the kind that stands before a shop: it stores by address and ``Vary``, and asks nobody twice.

It keeps what RFC 9111 lets a shared cache keep, and nothing else; ``violations`` names answers that it was told to keep
and that hold something of one visitor's.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler

Answer = tuple[str, list[tuple[str, str]], bytes]


@dataclass
class Stored:
    until: float
    wanted: dict[str, str]
    answer: Answer


@dataclass
class SharedCache:
    """A WSGI application in front of another one."""

    app: Callable[..., Iterable[bytes]]
    stored: dict[str, list[Stored]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        address = environ["HTTP_HOST"] + environ["PATH_INFO"]
        if environ.get("QUERY_STRING"):
            address += f"?{environ['QUERY_STRING']}"
        found = self._find(address, environ) if environ["REQUEST_METHOD"] == "GET" else None
        if found is not None:
            self.hits.append(address)
            answer = found.answer
        else:
            self.asked.append(address)
            answer = self._ask(environ)
            if environ["REQUEST_METHOD"] == "GET":
                self._keep(address, environ, answer)
        status, headers, body = answer
        start_response(status, [*headers, ("X-Cache", "hit" if found else "miss")])
        return [body]

    def _find(self, address: str, environ: dict[str, Any]) -> Stored | None:
        for each in self.stored.get(address, ()):
            if each.until > time.time() and each.wanted == _values(each.wanted, environ):
                return each
        return None

    def _ask(self, environ: dict[str, Any]) -> Answer:
        said: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> None:
            said[:] = [status, headers]

        result = self.app(environ, start)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return said[0], said[1], body

    def _keep(self, address: str, environ: dict[str, Any], answer: Answer) -> None:
        status, headers, _body = answer
        said = {name.lower(): value for name, value in headers}
        control = said.get("cache-control", "").lower()
        lifetime = _lifetime(control)
        if not status.startswith("200") or lifetime <= 0 or any(w in control for w in ("private", "no-")):
            return
        vary = [name.strip().lower() for name in said.get("vary", "").split(",") if name.strip()]
        if "*" in vary:
            return
        if "set-cookie" in said:
            self.violations.append(f"{address} sets a cookie for everybody")
        if "cookie" in vary:
            self.violations.append(f"{address} differs for every visitor")
        wanted = _values(dict.fromkeys(vary, ""), environ)
        self.stored.setdefault(address, []).append(Stored(time.time() + lifetime, wanted, answer))


def _values(names: Iterable[str], environ: dict[str, Any]) -> dict[str, str]:
    return {name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}


def _lifetime(control: str) -> int:
    for wanted in ("s-maxage=", "max-age="):
        for part in control.replace(" ", "").split(","):
            if part.startswith(wanted):
                return int(part.removeprefix(wanted))
    return 0


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    content: bytes
    cookies: SimpleCookie

    @property
    def text(self) -> str:
        return self.content.decode()


@dataclass
class Visitor:
    """A browser with a jar of its own, behind the cache."""

    app: Callable[..., Iterable[bytes]]
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        path, _mark, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in {**self.headers, **headers}.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        said: list[Any] = []
        body = b"".join(self.app(environ, lambda status, headers, *rest: said.extend((status, headers))))
        set_now = SimpleCookie()
        for name, value in said[1]:
            if name.lower() == "set-cookie":
                set_now.load(value)
        for key, morsel in set_now.items():
            self.cookies[key] = morsel.value
        return Reply(int(said[0].split()[0]), dict(said[1]), body, set_now)


def as_configured(environ: dict[str, Any], start_response: Any) -> Any:
    """The site with its static files, and with the middleware that the settings of the test name by now."""
    return StaticFilesHandler(WSGIHandler())(environ, start_response)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing."""


def serve(app: Callable[..., Any]) -> Generator[str, None, None]:
    """Serve until the generator is closed; the address."""
    server = make_server("localhost", 0, app, server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
