"""Who invites whom to what: everything that a landing page says to this visitor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, linebreaks, strip_tags
from django.utils.translation import get_language, gettext, pgettext
from wagtail.rich_text import expand_db_html

from wagtail_referrals import people, programs, rewards, tracking
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.site import offer as words
from wagtail_referrals.site.actions import action_url, register_url, shop_registers, shop_start, target_of
from wagtail_referrals.site.paths import safe_path
from wagtail_referrals.site.public_picture import shared_picture
from wagtail_referrals.site.variants import variant_of_mode
from wagtail_referrals.tracking.models import Claim, Visit

logger = logging.getLogger(__name__)

# friend: is offered something. returning: came before, and it still waits. used: has ordered with an invitation.
# customer: has ordered before, and the offer is for new customers. own: the advocate. closed: no program is open.
# elsewhere: one is, on another site. unknown: nobody's code. general: the page at its own address.
Kind = Literal["friend", "returning", "used", "customer", "own", "closed", "elsewhere", "unknown", "general"]
# Who looks at the page again within this time is still reading it.
SAME_SITTING: Final = timedelta(minutes=30)


@dataclass(frozen=True)
class Action:
    """A button: what is on it, and where it leads."""

    text: str
    url: str


@dataclass(frozen=True)
class Invitation:
    """Read in one language: what was put into words stays as it was.

    ``register_url``: where the visitor opens an account, "" where they have one or the shop does not say.
    ``expires_at``: until when the friend can order. ``share_url``: the link itself, absolute, "" without one; where the
    invitation is good elsewhere, it leads there. ``channel`` is how the link reached the visitor, "" where that is not
    known; ``referrer_id`` the primary key of the referrer's account, ``None`` without one: variants are chosen by both.
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
    channel: str = ""
    referrer_id: Any = None
    page: Any = field(default=None, compare=False)
    # Where the button of the page leads; "" for the shop.
    target_url: str = ""
    # The number of the variant that a preview shows, whoever it is for.
    variant: int | None = None

    def on_page(self, page: Any, request: HttpRequest) -> Invitation:
        """The same, in the words that an editor wrote on this page."""
        return replace(self, page=page, target_url=action_url(request, page))

    @property
    def is_promised(self) -> bool:
        """Does a present wait for this very visitor?"""
        return self.kind in ("friend", "returning")

    @property
    def is_for_friends(self) -> bool:
        """Is the visitor told what friends are told? Others read why there is nothing for them."""
        return self.is_promised or self.kind == "general"

    @cached_property
    def name(self) -> str:
        return people.invitation_name(self.public_name)

    @cached_property
    def gift(self) -> str:
        """What the friend gets, in the current language; "" when nothing is offered."""
        return programs.friend_gets(self.data) if self.data is not None else ""

    @cached_property
    def day(self) -> str:
        """The last day to order, in the current language; "" where there is none."""
        return date_format(timezone.localtime(self.expires_at), "DATE_FORMAT") if self.expires_at else ""

    @cached_property
    def _texts(self) -> dict[str, str]:
        return self.data.text(get_language() or "") if self.data is not None else {}

    def _filled(self, text: str, quote: Callable[[str], str] = str) -> str:
        for key, value in (("name", self.name), ("gift", self.gift), ("day", self.day)):
            text = text.replace(f"{{{key}}}", quote(value))
        return text

    @cached_property
    def invites(self) -> str:
        return gettext("%(name)s invites you") % {"name": self.name}

    @cached_property
    def _variant(self) -> Mapping[str, Any]:
        """What the editor wrote for friends of such referrers, or for this way of sharing: the first that fits."""
        if not self.is_promised:
            return {}
        if self.variant is not None:
            return dict(enumerate(_parts(self.page, "variants"))).get(self.variant, {})
        return next((value for value in _parts(self.page, "variants") if self._fits(value)), {})

    def _fits(self, variant: Mapping[str, Any]) -> bool:
        channels, audience = variant.get("channels") or [], variant.get("audience")
        if not channels and not audience:
            return False
        if channels and self.channel not in channels:
            return False
        return not audience or programs.in_audience_of(audience, self.referrer_id)

    @cached_property
    def _situation(self) -> Mapping[str, Any]:
        """What the editor wrote for visitors like this one."""
        parts = _parts(self.page, "situations")
        return next((value for value in parts if value.get("situation") == self.kind), {})

    def _own(self, name: str, text: str = "") -> str:
        """What the editor wrote for such visitors: for friends in the variant, else on the page, for others in the
        situation.
        """
        if self.kind in ("friend", "general"):
            return _said(self._variant.get(name)) or _said(getattr(self.page, name, ""))
        return _said(self._situation.get(text or name))

    @property
    def _written(self) -> str:
        """The headline of the editor's page, for those only whom it was written for."""
        found = self._own("headline")
        return "" if self.kind == "general" and "{name}" in found else found

    @property
    def eyebrow(self) -> str:
        """The line above the headline. One of the two always says who invites."""
        if not self.is_promised:
            return ""
        if self.kind == "returning" or self._written:
            return "" if "{name}" in self._written else self.invites
        return self._texts.get("headline", "")

    @cached_property
    def headline(self) -> str:
        if self._written:
            return self._filled(self._written)
        return {
            "friend": self.invites,
            "returning": pgettext("invited friend", "Welcome back"),
            "used": gettext("Good to see you again"),
            "customer": gettext("Good to see you again"),
            "own": gettext("This is your own link"),
            "closed": gettext("This invitation has ended"),
            "elsewhere": gettext("Your invitation is for another of our shops"),
            "unknown": gettext("We do not know this link"),
            "general": gettext("Has a friend invited you?"),
        }[self.kind]

    @cached_property
    def lead(self) -> str:
        """The sentence under the headline; "" where the editor wrote another text."""
        if self.kind == "friend":
            return gettext("Your present: %(gift)s") % {"gift": self.gift} if self.gift else ""
        if self.kind == "returning":
            return gettext("Your present waits: %(gift)s") % {"gift": self.gift} if self.gift else ""
        if _said(self._situation.get("text")):
            return ""
        if self.kind == "used":
            return gettext(
                "You have ordered with an invitation already. Now you can invite friends yourself, and get something "
                "too."
            )
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
        """HTML: what the editor wrote for such visitors; for friends else the program's text."""
        written = self._own("introduction", "text")
        if written:
            return str(expand_db_html(self._filled(written, escape)))
        if self.kind not in ("friend", "general"):
            return ""
        plain = self._texts.get("introduction", "")
        return str(linebreaks(plain, autoescape=True)) if plain else ""

    @property
    def picture(self) -> Any:
        """Of the variant, else of the page; ``None`` without one."""
        chosen = getattr(self.page, "variant_pictures", {}).get(self._variant.get("picture"))
        return chosen or getattr(self.page, "picture", None)

    @property
    def draws_present(self) -> bool:
        """Is a present drawn where there is no picture? Not for who has had it."""
        return bool(self.gift) and self.kind != "used"

    @property
    def body(self) -> Any:
        """What else stands on the page, for those whom it is written for; ``None`` for nothing."""
        return getattr(self.page, "body", None) or None if self.is_for_friends else None

    def _body_has(self, name: str) -> bool:
        return self.body is not None and any(part["type"] == name for part in self.body.raw_data)

    @cached_property
    def steps(self) -> Any:
        """Each with ``heading`` and ``text``. None where the editor placed a block that tells them."""
        if not self.is_for_friends or self._body_has("referral_how_it_works"):
            return []
        written = getattr(self.page, "steps", None)
        if written:
            return [block.value for block in written]
        return words.steps(self.data) if self.is_promised else []

    @property
    def conditions(self) -> list[str]:
        return words.conditions(self.data) if self.is_promised and self.data is not None else []

    @property
    def small_print(self) -> str:
        return self._texts.get("small_print", "") if self.is_promised else ""

    @property
    def says_terms(self) -> bool:
        """Do the terms stand at the end of the page? Not where the editor placed the block that says them."""
        return bool(self.conditions or self.small_print) and not self._body_has("referral_terms")

    @property
    def action_text(self) -> str:
        if self.kind == "elsewhere":
            return gettext("Go to %(host)s") % {"host": self._host}
        # Of a situation it names the first button, which is another one for who may invite friends.
        written = "" if self._invites_friends else self._written_action
        if self.kind == "returning":
            written = written or str(getattr(self.page, "action_text", "") or "")
        if written:
            return written
        return str(target_of(self.page).action_text) if self.target_url else gettext("To the shop")

    @property
    def _written_action(self) -> str:
        return self._own("action_text")

    @property
    def _invites_friends(self) -> bool:
        return self.kind in ("own", "customer", "used")

    @property
    def action_url(self) -> str:
        """Where the editor chose, through the share link: an address that is copied from there still counts."""
        if self.kind == "elsewhere":
            return self.share_url
        return self._through_link(self.target_url or self.start_url)

    @property
    def account_url(self) -> str:
        """Where the friend opens the account for which the present waits, through the share link; "" otherwise."""
        if (
            not self.is_promised
            or not self.register_url
            or self.data is None
            or not words.waits_for_account(self.data)
        ):
            return ""
        return self._through_link(self.register_url)

    @property
    def actions(self) -> list[Action]:
        """The buttons, the one that leads on first."""
        chosen = Action(self.action_text, self.action_url)
        if self._invites_friends:
            first = Action(self._written_action or gettext("Refer a friend"), reverse("referrals:account"))
            return [first, chosen]
        if self.account_url:
            if self.account_url == chosen.url:
                return [chosen, Action(gettext("To the shop"), self._through_link(self.start_url))]
            return [Action(gettext("Open an account"), self.account_url), chosen]
        return [chosen]

    def _through_link(self, url: str) -> str:
        if self.is_promised and self.code and safe_path(url):
            # The page may have come from a cache that no visit was counted by.
            query = {"to": url, **({"via": self.channel} if self.channel else {})}
            return f"{people.share_path(self.code)}?{urlencode(query)}"
        return url

    @property
    def _host(self) -> str:
        return urlsplit(self.share_url).netloc

    @property
    def shared_title(self) -> str:
        """Title where the link is shared: always the friend's view, as nobody else reads it."""
        if self.is_promised or self._invites_friends:
            return self.invites
        return str((self.kind == "general" and getattr(self.page, "seo_title", None)) or self.headline)

    @property
    def shared_text(self) -> str:
        if (self.is_promised or self._invites_friends) and self.gift:
            return gettext("Your present: %(gift)s") % {"gift": self.gift}
        return str((self.kind == "general" and getattr(self.page, "search_description", None)) or self.lead)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        """For the template of a landing page."""
        return {
            "invitation": self,
            "picture": self.picture,
            "shared_title": self.shared_title,
            "shared_text": self.shared_text,
            # A share link has a picture of its own.
            "shared_picture": shared_picture(request, self.picture) if self.kind == "general" else "",
        }


def _said(text: Any) -> str:
    """What was written; "" for rich text that says nothing, as an editor leaves it behind."""
    written = str(text or "")
    return written if strip_tags(written).strip() else ""


def _parts(page: Any, name: str) -> list[Mapping[str, Any]]:
    """The values of a page's StreamField as they are stored: nothing is read from the database for them."""
    return [part["value"] for part in getattr(getattr(page, name, None), "raw_data", ())]


# The visitors that the editor's preview knows.
SAMPLES: Final = ("friend", "returning", "used", "customer", "own", "closed")


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


def has_used(request: HttpRequest, visit: Visit | None, program_key: str) -> bool:
    """Has this visitor, who came by ``visit`` before, ordered with an invitation of this program already?

    Who has an account is found by it too, on any device: one query for those. An invitation that came back, as its
    order was cancelled, is not used any more.
    """
    claim = None
    if visit is not None and visit.terms is not None and str(visit.terms.program_key) == program_key:
        claim = getattr(visit, "claim", None)
    user = getattr(request, "user", None)
    if (
        (claim is None or claim.state != Claim.State.USED)
        and program_key
        and user is not None
        and user.is_authenticated
    ):
        used = Claim.objects.filter(user=user, state=Claim.State.USED, terms__program_key=program_key)
        claim = used.order_by("-created_at", "-pk").first()
    return (
        claim is not None
        and claim.state == Claim.State.USED
        and not rewards.promise_holds(claim, timezone.now())
    )


def _of_visit(request: HttpRequest, visit: Visit) -> Invitation:
    data = programs.parse(visit.terms)  # type: ignore[arg-type]
    came_back = timezone.now() - visit.created_at >= SAME_SITTING
    return Invitation(
        kind="returning" if came_back else "friend",
        public_name=visit.advocate.public_name,
        code=people.code_of(visit.advocate),
        data=data,
        start_url=shop_start(request),
        register_url=register_url(request),
        expires_at=visit.created_at + timedelta(days=data.window_days),
        channel=visit.channel,
        referrer_id=visit.advocate.user_id,
    )


def _followed(request: HttpRequest) -> Visit | None:
    """The visit that this visitor's cookie names, of somebody else's link that is still good."""
    visit = tracking.arrival_of(request).visit
    if visit is None or visit.terms is None or visit.advocate.state != "active":
        return None
    user = getattr(request, "user", None)
    own = user is not None and user.is_authenticated and user.pk == visit.advocate.user_id
    return None if own else visit


def saved_invitation(request: HttpRequest) -> Invitation | None:
    """The invitation that the visitor followed before, if it still holds. One query, only where there is a cookie."""
    visit = _followed(request)
    if visit is None:
        return None
    claim = getattr(visit, "claim", None)
    if claim is not None and not rewards.promise_holds(claim, timezone.now()):
        return None
    return _of_visit(request, visit)


def invitation_of(request: HttpRequest) -> Invitation:
    """What a landing page says to this visitor: by the share link or the preview, else saved before, else general."""
    found = getattr(request, "referral_invitation", None)
    if isinstance(found, Invitation):
        return found
    saved = saved_invitation(request)
    if (
        saved is None
        and (visit := _followed(request)) is not None
        and has_used(request, visit, str(visit.terms.program_key))  # type: ignore[union-attr]
    ):
        saved = replace(_of_visit(request, visit), kind="used")
    return saved or general_invitation(request)


def sample_invitation(request: HttpRequest, mode: str, *, moment: datetime | None = None) -> Invitation:
    """For the preview in the editor: of a sample advocate, to what the first program offers that is open then.

    ``moment`` is when the visitor would come, by default now: programs that open or close until then are looked at as
    they are scheduled.
    """
    kind: Kind = mode if mode in SAMPLES else "friend"  # type: ignore[assignment]
    if moment is None:
        general = general_invitation(request)
    else:
        open_then = programs.terms_on(moment, site_id=tracking.site_id_for(request))
        general = Invitation(
            kind="general", data=open_then[0] if open_then else None, start_url=shop_start(request)
        )
    if general.data is None and kind in ("friend", "returning", "customer"):
        # What a friend would read on that day.
        kind = "closed" if moment is not None else kind
    days = general.data.window_days if general.data else 30
    since = moment or timezone.now()
    if kind == "returning":
        # Came some days ago.
        since -= timedelta(days=min(3, days // 2))
    return replace(
        general,
        kind=kind,
        # Translators: first name of the sample referrer in previews.
        public_name=gettext("Camille"),
        register_url=shop_registers(request),
        expires_at=since + timedelta(days=days),
        variant=variant_of_mode(mode),
    )
