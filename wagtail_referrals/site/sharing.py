"""What an advocate passes on: the link, a message to send with it, and the ways to send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest
from django.utils.translation import get_language, gettext

from wagtail_referrals import people, programs
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.tracking import CHANNELS


@dataclass(frozen=True)
class Way:
    """A link that opens another program with the message in it."""

    channel: str
    label: Any
    url: str


@dataclass(frozen=True)
class Sharing:
    """``url`` is absolute. ``message`` comes without the link."""

    code: str
    url: str
    title: str
    message: str

    def link(self, channel: str) -> str:
        return f"{self.url}?via={channel}"

    @property
    def copied(self) -> str:
        return self.link("copy")

    @property
    def shared(self) -> str:
        return self.link("share")

    @property
    def ways(self) -> list[Way]:
        def text(channel: str) -> str:
            return f"{self.message} {self.link(channel)}"

        # mailto:, sms: and WhatsApp want %20 for a blank, not +.
        addresses = {
            "email": f"mailto:?subject={quote(self.title)}&body={quote(text('email'))}",
            "whatsapp": f"https://wa.me/?text={quote(text('whatsapp'), safe='')}",
            "sms": f"sms:?&body={quote(text('sms'))}",
            "telegram": "https://t.me/share/url?"
            + urlencode({"url": self.link("telegram"), "text": self.message}),
            "facebook": "https://www.facebook.com/sharer/sharer.php?"
            + urlencode({"u": self.link("facebook")}),
        }
        return [Way(channel, CHANNELS[channel], address) for channel, address in addresses.items()]


def share_url(code: str, *, root: str) -> str:
    """The share link as it is passed on. ``root``: scheme and host of the site, "https://shop.example"."""
    return root.rstrip("/") + people.share_path(code)


def sharing_of(request: HttpRequest, advocate: Advocate, data: TermsData | None) -> Sharing:
    """The advocate's link, with the message that the program proposes in the current language."""
    code = people.code_of(advocate)
    message = data.text(get_language() or "").get("share_message", "") if data is not None else ""
    gift = programs.friend_gets(data) if data is not None else ""
    if not message:
        message = (
            gettext("I invite you. Your present: %(gift)s.") % {"gift": gift}
            if gift
            else gettext("I invite you.")
        )
    return Sharing(
        code=code,
        url=share_url(code, root=request.build_absolute_uri("/")),
        title=gettext("%(name)s invites you") % {"name": people.invitation_name(advocate.public_name)},
        message=message.replace("{gift}", gift),
    )
