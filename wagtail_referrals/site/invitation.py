"""Who invites whom to what: everything that a landing page says to this visitor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import escape, linebreaks
from django.utils.translation import get_language, gettext
from wagtail.rich_text import expand_db_html

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import get_shop, shop_register_url
from wagtail_referrals.site import offer as words
from wagtail_referrals.tracking.models import Claim

logger = logging.getLogger(__name__)

# friend: is offered something. customer: has ordered before, and the offer is for new customers. own: the advocate.
# closed: no program is open. elsewhere: one is, on another site. unknown: nobody's code. general: the page at its own
# address.
Kind = Literal["friend", "customer", "own", "closed", "elsewhere", "unknown", "general"]


@dataclass(frozen=True)
class Invitation:
    """Read in one language: what was put into words stays as it was.

    ``register_url``: where the visitor opens an account, "" where they have one or the shop does not say.
    ``expires_at``: until when the friend can order. ``share_url``: the link itself, absolute, "" without one; where the
    invitation is good elsewhere, it leads there.
    """

    kind: Kind
    public_name: str = ""
    code: str = ""
    data: TermsData | None = None
    share_url: str = ""
    start_url: str = ""
    # Of a visitor who has none yet.
    register_url: str = ""
    expires_at: datetime | None = None
    page: Any = field(default=None, compare=False)

    def on_page(self, page: Any) -> Invitation:
        """The same, in the words that an editor wrote on this page."""
        return replace(self, page=page)

    @cached_property
    def name(self) -> str:
        return people.invitation_name(self.public_name)

    @cached_property
    def gift(self) -> str:
        """What the friend gets, in the current language; "" when nothing is offered."""
        return programs.friend_gets(self.data) if self.data is not None else ""

    @cached_property
    def _texts(self) -> dict[str, str]:
        return self.data.text(get_language() or "") if self.data is not None else {}

    def _filled(self, text: str, quote: Callable[[str], str] = str) -> str:
        return text.replace("{name}", quote(self.name)).replace("{gift}", quote(self.gift))

    @cached_property
    def invites(self) -> str:
        return gettext("%(name)s invites you") % {"name": self.name}

    @property
    def _written(self) -> str:
        """The headline of the editor's page, for those only whom it was written for."""
        text: str = getattr(self.page, "headline", "")
        return text if self.kind == "friend" or (self.kind == "general" and "{name}" not in text) else ""

    @property
    def eyebrow(self) -> str:
        """The line above the headline. One of the two always says who invites."""
        if self.kind != "friend":
            return ""
        if self._written and "{name}" not in self._written:
            return self.invites
        return self._texts.get("headline", "")

    @cached_property
    def headline(self) -> str:
        if self._written:
            return self._filled(self._written)
        return {
            "friend": self.invites,
            "customer": gettext("Good to see you again"),
            "own": gettext("This is your own link"),
            "closed": gettext("This invitation has ended"),
            "elsewhere": gettext("Your invitation is for another of our shops"),
            "unknown": gettext("We do not know this link"),
            "general": gettext("Has a friend invited you?"),
        }[self.kind]

    @cached_property
    def lead(self) -> str:
        """The sentence under the headline."""
        if self.kind == "friend":
            return gettext("Your present: %(gift)s") % {"gift": self.gift} if self.gift else ""
        if self.kind == "customer":
            return gettext(
                "%(name)s thought of you. The present is for new customers, and you have ordered from us before; "
                "but you can invite friends yourself."
            ) % {"name": self.name}
        if self.kind == "own":
            return gettext("It is for your friends. This is what they see:")
        if self.kind == "closed":
            return gettext(
                "There is no present for new customers at the moment. You are welcome all the same."
            )
        if self.kind == "elsewhere":
            return gettext(
                "%(name)s invites you to %(host)s. Open the link there, and your present is saved."
            ) % {
                "name": self.name,
                "host": self._host,
            }
        if self.kind == "unknown":
            return gettext(
                "Perhaps a part of it is missing. Ask your friend to send it again, or type the code into the basket. "
                "You are welcome all the same."
            )
        if self.gift:
            return gettext("With a friend's link you get: %(gift)s") % {"gift": self.gift}
        return gettext("Open the link that your friend sent you.")

    @cached_property
    def introduction(self) -> str:
        """HTML: the page's rich text, else the program's text. For those only whom it was written for."""
        if self.kind not in ("friend", "general"):
            return ""
        written = getattr(self.page, "introduction", "")
        if written:
            return str(expand_db_html(self._filled(written, escape)))
        plain = self._texts.get("introduction", "")
        return str(linebreaks(plain, autoescape=True)) if plain else ""

    @cached_property
    def steps(self) -> Any:
        """Each with ``heading`` and ``text``."""
        if self.kind not in ("friend", "general"):
            return []
        written = getattr(self.page, "steps", None)
        if written:
            return [block.value for block in written]
        return words.steps(self.data) if self.kind == "friend" else []

    @property
    def conditions(self) -> list[str]:
        return words.conditions(self.data) if self.kind == "friend" and self.data is not None else []

    @property
    def small_print(self) -> str:
        return self._texts.get("small_print", "") if self.kind == "friend" else ""

    @property
    def action_text(self) -> str:
        written = getattr(self.page, "action_text", "") if self.kind in ("friend", "general") else ""
        if self.kind == "elsewhere":
            return gettext("Go to %(host)s") % {"host": self._host}
        return written or gettext("To the shop")

    @property
    def action_url(self) -> str:
        """The shop, through the share link: an address that is copied from there still counts."""
        if self.kind == "elsewhere":
            return self.share_url
        return self._through_link(self.start_url)

    @property
    def account_url(self) -> str:
        """Where the friend opens the account for which the present waits, through the share link; "" otherwise."""
        if (
            self.kind != "friend"
            or not self.register_url
            or self.data is None
            or not words.waits_for_account(self.data)
        ):
            return ""
        return self._through_link(self.register_url)

    def _through_link(self, url: str) -> str:
        if self.kind == "friend" and self.code:
            return f"{people.share_path(self.code)}?{urlencode({'to': url})}"
        return url

    @property
    def _host(self) -> str:
        return urlsplit(self.share_url).netloc

    @property
    def shared_title(self) -> str:
        """Title where the link is shared: always the friend's view, as nobody else reads it."""
        if self.kind in ("friend", "own", "customer"):
            return self.invites
        return self.headline

    @property
    def shared_text(self) -> str:
        if self.kind in ("friend", "own", "customer") and self.gift:
            return gettext("Your present: %(gift)s") % {"gift": self.gift}
        return self.lead

    def context(self, request: HttpRequest) -> dict[str, Any]:
        """For the template of a landing page."""
        return {"invitation": self, "picture": getattr(self.page, "picture", None)}


def shop_start(request: HttpRequest) -> str:
    """Where a friend begins to shop; the site's root where the shop's answer fails."""
    try:
        return get_shop().start_url(request)
    except Exception:
        logger.exception("The shop did not say where a friend begins")
        return "/"


def register_url(request: HttpRequest) -> str:
    """Where the visitor opens an account; "" for who has one, and where the shop does not say."""
    user = getattr(request, "user", None)
    return "" if user is not None and user.is_authenticated else _shop_registers(request)


def _shop_registers(request: HttpRequest) -> str:
    """Where an account is opened; "" also where the shop's answer fails."""
    try:
        return shop_register_url(request)
    except Exception:
        logger.exception("The shop did not say where an account is opened")
        return ""


def is_customer(request: HttpRequest) -> bool:
    """Has the visitor, who is logged in, ordered before? Of others nothing is known yet."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    try:
        return get_shop().was_customer(user=user, email=people.email_of_account(user), excluding=None)
    except Exception:
        logger.exception("The shop did not say whether somebody is a customer")
        return False


def general_invitation(request: HttpRequest, kind: Kind = "general") -> Invitation:
    """Nobody's: what the first program that is open to everybody offers, without a name."""
    offer = programs.pick_terms(site_id=tracking.site_id_for(request), advocate_state="active")
    return Invitation(kind=kind, data=offer.data if offer else None, start_url=shop_start(request))


def saved_invitation(request: HttpRequest) -> Invitation | None:
    """The invitation that the visitor followed before, if it still holds. One query, only where there is a cookie."""
    visit = tracking.arrival_of(request).visit
    if visit is None or visit.terms is None or visit.advocate.state != "active":
        return None
    claim = getattr(visit, "claim", None)
    if claim is not None and claim.state != Claim.State.OPEN:
        return None
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and user.pk == visit.advocate.user_id:
        return None
    data = programs.parse(visit.terms)
    return Invitation(
        kind="friend",
        public_name=visit.advocate.public_name,
        code=people.code_of(visit.advocate),
        data=data,
        start_url=shop_start(request),
        register_url=register_url(request),
        expires_at=visit.created_at + timedelta(days=data.window_days),
    )


def invitation_of(request: HttpRequest) -> Invitation:
    """What a landing page says to this visitor: by the share link or the preview, else saved before, else general."""
    found = getattr(request, "referral_invitation", None)
    if isinstance(found, Invitation):
        return found
    return saved_invitation(request) or general_invitation(request)


def sample_invitation(request: HttpRequest, mode: str) -> Invitation:
    """For the preview in the editor: of a sample advocate, to what the first open program offers."""
    kind: Kind = mode if mode in ("friend", "customer", "own", "closed") else "friend"  # type: ignore[assignment]
    general = general_invitation(request)
    days = general.data.window_days if general.data else 30
    return replace(
        general,
        kind=kind,
        # Translators: first name of the sample referrer in previews.
        public_name=gettext("Camille"),
        register_url=_shop_registers(request),
        expires_at=timezone.now() + timedelta(days=days),
    )
