"""Links in mails: each goes by an address of ours, which notes that it was followed and leads on.

What is noted is when a link of a message was followed first, and nothing else: programs that read mail for people
follow links too. The address names the message and where it leads, and nobody; it is signed, and leads to pages of the
own sites only. In the plain text stand the plain addresses, and so does the personal link everywhere: people pass that
on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.core import signing
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from wagtail.models import Site

from wagtail_referrals.messages.models import Message

_signer: Final = signing.Signer(sep=".", salt="wagtail_referrals.messages.links")


def is_own(url: str) -> bool:
    """Does this absolute address lead to one of the sites? Wagtail keeps them in the cache."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "\\" in url or not url.isprintable():
        return False
    # All of it is compared, port and user name included.
    return any(urlsplit(path.root_url).netloc == parts.netloc for path in Site.get_site_root_paths())


def tracked(message: Message, root: str, url: str) -> str:
    """The address by which a link of this message leads to ``url``; ``url`` itself where it leads elsewhere, and where
    the message is only looked at. ``root``: scheme and host of the site that the message is from.
    """
    if message.pk is None or not root or not is_own(url):
        return url
    try:
        return root + reverse("referrals:mail_link", args=[_signer.sign_object([message.pk, url])])
    except NoReverseMatch:
        return url


def follow(token: str) -> tuple[int, str] | None:
    """(the key of the message, where the link leads); ``None`` for what is not ours, or is no longer a site's."""
    try:
        found: Any = _signer.unsign_object(token)
        pk, url = found
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return (pk, url) if isinstance(pk, int) and isinstance(url, str) and is_own(url) else None


def mark_followed(pk: int, *, now: datetime | None = None) -> None:
    """A link of this message was followed; the first time counts."""
    Message.objects.filter(pk=pk, opened_at=None).update(opened_at=now or timezone.now())
