"""``?to=``: where a share link may lead. A path of this very host, or nowhere."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

from wagtail_referrals import conf

# Browsers and Django refuse longer addresses.
MAX_LENGTH: Final = 2000


def safe_path(text: str | None) -> str:
    """The path with its query, as a URI; "" for anything that could lead elsewhere or back to a share link."""
    if not text or len(text) > MAX_LENGTH:
        return ""
    if text[0] != "/" or text[1:2] == "/" or "\\" in text or not text.isprintable():
        return ""
    try:
        parts = urlsplit(text)
        uri = iri_to_uri(text)
    except ValueError:
        return ""
    # A browser drops "." and ".." before it looks where the path leads: "/.//elsewhere" then begins with two slashes.
    if parts.scheme or parts.netloc or any(part in ("", ".", "..") for part in parts.path.split("/")[1:-1]):
        return ""
    if not url_has_allowed_host_and_scheme(text, allowed_hosts=None) or parts.path.startswith(
        f"/{conf.get('SHARE_PREFIX')}/"
    ):
        return ""
    return uri if uri is not None and len(uri) <= MAX_LENGTH else ""
