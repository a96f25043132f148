"""Somebody who uses a shop over HTTP as a browser without JavaScript does: reads pages, follows links, sends forms."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from bs4 import BeautifulSoup, Tag


class Visitor:
    """``url``, ``status``, ``page`` are those of the last answer."""

    def __init__(self, base: str, language: str = "en") -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        self._opener.addheaders = [
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            ("Accept-Language", language),
        ]
        self.url, self.status, self.page = base, 0, BeautifulSoup("", "html.parser")

    def get(self, path: str) -> BeautifulSoup:
        return self._ask(path, None)

    @property
    def text(self) -> str:
        """What the page says, in one line."""
        return " ".join(self.page.get_text(" ").split())

    def link(self, text: str) -> Tag:
        """The first link that says this."""
        found = next(
            (a for a in self.page.select("a[href]") if text in " ".join(a.get_text(" ").split())), None
        )
        assert found is not None, f'no link "{text}" on {self.url}'
        return found

    def follow(self, text: str) -> BeautifulSoup:
        return self.get(str(self.link(text)["href"]))

    def send(self, form: str, button: str = "", **values: Any) -> BeautifulSoup:
        """Fill in the form that this CSS selector finds, and press the button of this name, or the only one."""
        found = self.page.select_one(form)
        assert found is not None, f"no form {form} on {self.url}"
        data = dict(_fields(found))
        unknown = [name for name in values if name not in data and not found.select(f'[name="{name}"]')]
        assert not unknown, f"the form on {self.url} has no {unknown}, but {sorted(data)}"
        pressed = found.select_one(f'button[name="{button}"]') if button else None
        assert pressed is not None or not button, f'no button "{button}" on {self.url}'
        if pressed is not None:
            data[button] = str(pressed.get("value", ""))
        path = str(found.get("action") or self.url)
        return self._ask(path, data | values, method=str(found.get("method", "get")).upper())

    def _ask(self, path: str, data: dict[str, Any] | None, method: str = "GET") -> BeautifulSoup:
        url = urllib.parse.urljoin(self.url, path)
        body = None
        if data is not None:
            encoded = urllib.parse.urlencode(data, doseq=True)
            if method == "POST":
                body = encoded.encode()
            else:
                url = f"{url.partition('?')[0]}?{encoded}"
        request = urllib.request.Request(url, data=body, headers={"Referer": self.url})
        try:
            answer: Any = self._opener.open(request, timeout=120)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.url, self.status = answer.geturl(), answer.status
            html = answer.read()
        is_html = "html" in answer.headers.get("Content-Type", "")
        self.page = BeautifulSoup(html if is_html else "", "html.parser")
        assert self.status == 200, f"{method} {path}: {self.status} {self.text[:600]}"
        return self.page


def _fields(form: Tag) -> dict[str, Any]:
    """What a browser would send of the form as it stands, without its buttons."""
    data: dict[str, Any] = {}
    for field in form.select("input[name], select[name], textarea[name]"):
        name, kind = str(field["name"]), str(field.get("type", ""))
        if field.has_attr("disabled") or kind in ("submit", "image", "button", "file"):
            continue
        if kind in ("checkbox", "radio"):
            value: Any = field.get("value", "on") if field.has_attr("checked") else None
        elif field.name == "textarea":
            value = field.get_text().removeprefix("\n")
        elif field.name == "select":
            options = field.select("option")
            chosen = [option for option in options if option.has_attr("selected")]
            if field.has_attr("multiple"):
                value = [str(option.get("value", option.get_text())) for option in chosen] or None
            else:
                first = chosen or options[:1]
                value = str(first[0].get("value", first[0].get_text())) if first else None
        else:
            value = field.get("value", "")
        if value is None:
            continue
        # A name that stands twice, like checkboxes of one field, is sent twice.
        data[name] = (
            [*(data[name] if isinstance(data[name], list) else [data[name]]), value]
            if name in data
            else value
        )
    return data
