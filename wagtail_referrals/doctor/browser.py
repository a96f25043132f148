"""A visitor's browser, as far as cookies and redirects go: what a real one would not keep is not sent again."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import Morsel
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.db import transaction
from django.http.request import split_domain_port, validate_host
from django.shortcuts import resolve_url
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from wagtail_referrals.doctor.undone import Withheld

HOPS: Final = 6
# One that nobody takes for a robot's.
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Answer:
    """What came back in the end, and by which redirects. ``host`` and ``secure`` are of the last request."""

    response: Any
    path: str
    host: str
    secure: bool
    # Where each redirect led, whole addresses.
    hops: list[str] = field(default_factory=list)
    # Cookies that a browser does not keep, with the reason.
    dropped: dict[str, str] = field(default_factory=dict)
    # The error of a view, where there was one.
    error: BaseException | None = None

    @property
    def status(self) -> int:
        return int(self.response.status_code)

    @property
    def request(self) -> Any:
        return self.response.wsgi_request

    @property
    def text(self) -> str:
        if getattr(self.response, "streaming", False):
            return ""
        return str(self.response.content.decode(self.response.charset or "utf-8", "replace"))

    @property
    def is_page(self) -> bool:
        return self.status == 200

    @property
    def met_login(self) -> bool:
        """A redirect led to the page where people sign in."""
        path = urlsplit(resolve_url(settings.LOGIN_URL)).path
        return any(urlsplit(hop).path == path for hop in self.hops)


def why_dropped(morsel: Morsel[str], host: str, secure: bool) -> str:
    """Why a browser does not keep this cookie of a page of ``host``; "" when it does."""
    name = split_domain_port(host)[0].lower()
    domain = (morsel["domain"] or "").lstrip(".").lower()
    if domain and domain != name and not (name.endswith(f".{domain}") and "." in domain and not _is_ip(name)):
        return _("it is for %(domain)s, and the page came from %(host)s") % {"domain": domain, "host": name}
    if morsel["secure"] and not secure and name not in ("localhost", "127.0.0.1"):
        return _("it is for https only, and the page came by http")
    if str(morsel["samesite"]).lower() == "none" and not morsel["secure"]:
        return _("SameSite=None is for https only")
    if morsel.key.startswith("__Host-") and (domain or not morsel["secure"] or morsel["path"] != "/"):
        return _("a name that begins with __Host- takes no domain, the path / and https")
    if morsel.key.startswith("__Secure-") and not morsel["secure"]:
        return _("a name that begins with __Secure- is for https only")
    return ""


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class Browser:
    """Asks this project through its own middleware and addresses. Each request has a savepoint of its own."""

    def __init__(self, host: str, secure: bool, withheld: Withheld, language: str = "") -> None:
        from django.test import Client

        self.host, self.secure, self.withheld = host, secure, withheld
        self.client = Client(raise_request_exception=False)
        self.language = language
        # The last request, with what the shop's middleware has put on it.
        self.request: Any = None

    def get(self, path: str, *, public: bool = True) -> Answer:
        """The page, after redirects. ``public``: anybody may read it, so it may call other machines."""
        return self._walk("get", path, None, public)

    def post(self, path: str, data: dict[str, Any]) -> Answer:
        return self._walk("post", path, data, False)

    def sign_in(self, user: Any) -> None:
        with transaction.atomic(), _language_kept():
            self.client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        if name in self.client.cookies and why_dropped(self.client.cookies[name], self.host, self.secure):
            del self.client.cookies[name]

    def reaches(self, path: str, middleware: list[str]) -> Any:
        """The request of a visit with this list of middleware, cookies left alone."""
        from django.test import Client
        from django.test.utils import override_settings

        with override_settings(MIDDLEWARE=middleware), transaction.atomic(), _language_kept():
            response: Any = Client(raise_request_exception=False).get(
                path, secure=self.secure, headers=self._headers()
            )
            transaction.set_rollback(True)
            return response.wsgi_request

    def _headers(self) -> dict[str, str]:
        headers = {"host": self.host, "user-agent": AGENT, "accept": "text/html"}
        if self.language:
            headers["accept-language"] = self.language
        proxy = settings.SECURE_PROXY_SSL_HEADER
        if proxy and self.secure:
            # As the server in front says it.
            headers[proxy[0].removeprefix("HTTP_").replace("_", "-").lower()] = proxy[1].split(",")[0]
        return headers

    def _walk(self, method: str, path: str, data: dict[str, Any] | None, public: bool) -> Answer:
        hops: list[str] = []
        dropped: dict[str, str] = {}
        while True:
            response = self._ask(method, path, data, public)
            for name, morsel in response.cookies.items():
                reason = why_dropped(morsel, self.host, self.secure)
                if reason:
                    dropped[name] = reason
                    self.client.cookies.pop(name, None)
            exc_info = getattr(response, "exc_info", None)
            answer = Answer(
                response, path, self.host, self.secure, hops, dropped, exc_info[1] if exc_info else None
            )
            if response.status_code not in (301, 302, 303, 307, 308) or len(hops) == HOPS:
                return answer
            scheme = "https" if self.secure else "http"
            there = urljoin(f"{scheme}://{self.host}{path}", response.headers["Location"])
            hops.append(there)
            parts = urlsplit(there)
            if not self._is_ours(parts.hostname or ""):
                return answer
            self._go_to(parts.netloc, parts.scheme == "https")
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            if response.status_code not in (307, 308):
                method, data = "get", None

    def _ask(self, method: str, path: str, data: dict[str, Any] | None, public: bool) -> Any:
        ask = getattr(self.client, method)
        with transaction.atomic(), _language_kept():
            if public:
                with self.withheld.calls_allowed():
                    response = ask(path, data, secure=self.secure, headers=self._headers())
            else:
                response = ask(path, data, secure=self.secure, headers=self._headers())
            self.request = response.wsgi_request
            if response.status_code >= 500:
                # As a web server does, and so that a failed query does not fail all that follow.
                transaction.set_rollback(True)
        return response

    def _is_ours(self, hostname: str) -> bool:
        return hostname == split_domain_port(self.host)[0] or validate_host(hostname, settings.ALLOWED_HOSTS)

    def _go_to(self, host: str, secure: bool) -> None:
        if host != self.host:
            name = split_domain_port(host)[0]
            for key, morsel in list(self.client.cookies.items()):
                domain = (morsel["domain"] or "").lstrip(".")
                if not domain or (name != domain and not name.endswith(f".{domain}")):
                    del self.client.cookies[key]
        self.host, self.secure = host, secure


@contextmanager
def _language_kept() -> Iterator[None]:
    """Pages leave their language and their time zone behind in this thread."""
    language = translation.get_language()
    with timezone.override(timezone.get_current_timezone()):
        try:
            yield
        finally:
            translation.activate(language)
