"""What an advocate passes on: the link, a message to send with it, and the ways to send it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, gettext

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.site.paths import safe_path
from wagtail_referrals.tracking import CHANNELS

# Addresses that open another program with the message in it, in the order in which they are shown. Filled in here, and
# by referrals.js for a message that the advocate changed: {text}, {link}, both as {message} or as the {letter} that
# mail programs want, and {title}.
WAYS: Final = {
    "whatsapp": "https://wa.me/?text={message}",
    "email": "mailto:?subject={title}&body={letter}",
    "sms": "sms:?&body={message}",
    "telegram": "https://t.me/share/url?url={link}&text={text}",
    # Known to its app only, so our style sheet shows it where there is no mouse.
    "messenger": "fb-messenger://share?link={link}",
    "facebook": "https://www.facebook.com/sharer/sharer.php?u={link}",
    "x": "https://x.com/intent/post?text={text}&url={link}",
    "linkedin": "https://www.linkedin.com/sharing/share-offsite/?url={link}",
}


@dataclass(frozen=True)
class Way:
    """A link that opens another program with the message in it.

    ``url`` is that program's address with the proposed message; ``counted`` is ours, which counts and leads there, ""
    where nothing is counted.
    """

    channel: str
    label: Any
    title: str
    text: str
    link: str
    counted: str

    @property
    def pattern(self) -> str:
        return WAYS[self.channel]

    @property
    def url(self) -> str:
        lines = self.text.splitlines()
        values = {
            "title": self.title,
            "text": "\n".join(lines),
            "link": self.link,
            "message": "\n".join([*lines, self.link]),
            # RFC 6068, 5: lines end in CR LF.
            "letter": "\r\n".join([*lines, "", self.link] if lines else [self.link]),
        }
        return self.pattern.format_map({name: quote(value, safe="") for name, value in values.items()})

    @property
    def opens_page(self) -> bool:
        """Whether it leads to another site, not to a program on the device."""
        return self.pattern.startswith("https:")


@dataclass(frozen=True)
class Sharing:
    """``url`` is absolute. ``message`` comes without the link; ``messages`` are those of single channels.

    ``to`` is the path to which the link leads on. Without a ``token``, as in previews, nothing is counted.
    """

    code: str
    url: str
    title: str
    message: str
    messages: Mapping[str, str] = field(default_factory=dict)
    # Of an e-mail.
    subject: str = ""
    to: str = ""
    token: str = ""
    is_guest: bool = False

    def link(self, channel: str) -> str:
        return f"{self.url}?{urlencode({'via': channel} | self._onward, safe='/')}"

    def counted(self, channel: str) -> str:
        """Our address that counts a share; "" in previews."""
        if not self.token:
            return ""
        address = reverse("referrals:shared", args=[channel])
        return f"{address}?{urlencode({'of': self.token} | self._onward, safe='/:')}"

    @property
    def _onward(self) -> dict[str, str]:
        return {"to": self.to} if self.to else {}

    @property
    def copied(self) -> str:
        return self.link("copy")

    @property
    def shared(self) -> str:
        return self.link("share")

    @property
    def copy_counted(self) -> str:
        return self.counted("copy")

    @property
    def share_counted(self) -> str:
        return self.counted("share")

    @property
    def share_text(self) -> str:
        """What the share menu of the device gets."""
        return self.messages.get("share", self.message)

    @property
    def picture(self) -> str:
        return f"{self.url}picture.png"

    def way(self, channel: str) -> Way:
        """Raises ``KeyError`` for a channel that is none of ``WAYS``."""
        return Way(
            channel=channel,
            label=CHANNELS[channel],
            title=(self.subject if channel == "email" else "") or self.title,
            text=self.messages.get(channel, self.message),
            link=self.link(channel),
            counted=self.counted(channel),
        )

    @property
    def ways(self) -> list[Way]:
        return [self.way(channel) for channel in WAYS]


def share_url(code: str, *, root: str) -> str:
    """The share link as it is passed on. ``root``: scheme and host of the site, "https://shop.example"."""
    return root.rstrip("/") + people.share_path(code)


def sharing_of(
    request: HttpRequest, advocate: Advocate, data: TermsData | None, *, to: str = "", page: Any = None
) -> Sharing:
    """The advocate's link, with what is proposed to be sent with it in the current language.

    The words are the landing page's, else the program's, else ours. ``page`` is the landing page where the caller has
    it; else it is looked up, without a query in a warm cache. ``to`` is a path of this site, to which the link leads
    instead of the landing page; one that could lead elsewhere is left out.
    """
    code = people.code_of(advocate)
    name = people.invitation_name(advocate.public_name)
    gift = programs.friend_gets(data) if data is not None else ""
    written: dict[str, str] = {}
    subjects: dict[str, str] = {}
    for channel, subject, message in _written(request, data, page):
        # Words about a present are left out where there is none.
        if gift or "{gift}" not in message + subject:
            written.setdefault(channel, _filled(message, name, gift))
            subjects.setdefault(channel, _filled(subject, name, gift))
    return Sharing(
        code=code,
        url=share_url(code, root=request.build_absolute_uri("/")),
        title=gettext("%(name)s invites you") % {"name": name},
        message=written.pop("", "") or _ours(gift),
        messages=written,
        subject=subjects.get("email") or subjects.get("", ""),
        to=safe_path(to),
        token=tracking.share_token(advocate),
        is_guest=advocate.user_id is None,
    )


def _ours(gift: str) -> str:
    return (
        gettext("I invite you. Your present: %(gift)s.") % {"gift": gift}
        if gift
        else gettext("I invite you.")
    )


def _filled(text: str, name: str, gift: str) -> str:
    # The name last: whatever it is made of, it stays as it is.
    return text.replace("{gift}", gift).replace("{name}", name).strip()


def _written(request: HttpRequest, data: TermsData | None, page: Any) -> Iterator[tuple[str, str, str]]:
    """What editors wrote, the nearest first: channel ("" for all others), subject, message."""
    # Imported here: the page types stand on the site's own base page, whose module may be what imports this one.
    from wagtail_referrals.site.landing import find_landing_page

    language = get_language() or ""
    if page is None:
        page = find_landing_page(
            site_id=tracking.site_id_for(request),
            page_id=data.landing_page_id if data is not None else None,
            language=language,
        )
    # A page may be in another language than the advocate reads, where it is not translated.
    if page is not None and page.locale.language_code.split("-")[0] == language.split("-")[0]:
        for block in getattr(page, "share_messages", ()):
            value = block.value
            yield value["channel"] or "", value["subject"] or "", value["message"]
    if data is not None:
        yield "", "", data.text(language).get("share_message", "")
