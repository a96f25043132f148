"""What blocks and template tags show to the visitor who looks at a page: read here, drawn by templates/…/blocks/.

Everything is asked of the request that is given, and kept with it: a page with every block asks each thing once. A
visitor without an account, and without a share link, costs no query but for leaderboards and the wall of thanks.
What a database refuses in one of them is undone there, and does not take the page's own transaction with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext, ngettext, pgettext
from wagtail.models import Site

from wagtail_referrals import conf, credit, people, programs, recognition, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.recognition.models import Standing
from wagtail_referrals.site import offer as words
from wagtail_referrals.site import questions
from wagtail_referrals.site.account import Balance, balances_in_short, ending_words
from wagtail_referrals.site.invitation import (
    Invitation,
    general_invitation,
    sample_invitation,
    saved_invitation,
)
from wagtail_referrals.site.milestones import ladder, milestones_of
from wagtail_referrals.site.sharing import Sharing, share_url, sharing_of

FRIEND: Final = "friend"
REFERRER: Final = "referrer"

# Of nobody: codes are longer.
SAMPLE_CODE: Final = "CAMILLE"
# First names of the leaderboard in previews, the same in all languages.
SAMPLE_NAMES: Final = ("Noor", "Jonas", "Maya", "Inès", "Mateo", "Lena", "Tom", "Aïcha", "Piotr", "Eleni")


class Visitor:
    """Who looks at the page, and what they may offer. Read when first asked for."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        # In a preview the moment that the editor looks at, else now.
        self.moment: datetime | None = None
        self._ids = 0
        self._seen: set[str] = set()

    @cached_property
    def user(self) -> Any:
        """The account, ``None`` for nobody in particular, and in an editor's preview."""
        if getattr(self.request, "is_preview", False):
            return None
        user = getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @cached_property
    def advocate(self) -> Advocate | None:
        """One query for who is logged in. Looking at a page makes nobody a referrer."""
        if self.user is None:
            return None
        with transaction.atomic():
            return people.find_advocate(self.user)

    @cached_property
    def is_stopped(self) -> bool:
        """Is it a referrer who does not refer at present: paused, blocked, gone?"""
        return self.advocate is not None and self.advocate.state != Advocate.State.ACTIVE

    @cached_property
    def may_share(self) -> bool:
        """Is it a referrer who has seen what friends will read?"""
        return (
            self.advocate is not None and not self.is_stopped and self.advocate.name_confirmed_at is not None
        )

    @cached_property
    def data(self) -> TermsData | None:
        """What the visitor's own link would bring a friend."""
        return self.data_of("")

    def data_of(self, program_key: str) -> TermsData | None:
        """The terms that are open to this visitor: of that program, else of the first one."""
        user_id = self.user.pk if self.user is not None else None
        site_id = tracking.site_id_for(self.request)
        if self.moment is not None:
            then = programs.terms_on(self.moment, site_id=site_id)
            return next((data for data in then if program_key in ("", data.program_key)), None)
        if not program_key:
            offer = programs.pick_terms(site_id=site_id, user_id=user_id)
            return offer.data if offer is not None else None
        for offer in programs.open_terms(site_id=site_id):
            if offer.program_key == program_key:
                return offer.data if programs.in_audience(offer.audience, user_id) else None
        return None

    @cached_property
    def invitation(self) -> Invitation | None:
        """That of a landing page, else the one that the visitor followed before; ``None`` where none holds."""
        found = getattr(self.request, "referral_invitation", None)
        if isinstance(found, Invitation):
            return found
        if tracking.arrival_of(self.request).visit_id is None:
            return None
        with transaction.atomic():
            return saved_invitation(self.request)

    def unique_id(self, name: str) -> str:
        """An id that nothing else of ours on this page has."""
        self._ids += 1
        return f"referrals-{name}-{self._ids}"

    def once(self, name: str) -> bool:
        """Whether nothing on this page has asked for it before."""
        is_first = name not in self._seen
        self._seen.add(name)
        return is_first


def visitor_of(request: HttpRequest) -> Visitor:
    """The same one for the whole request. A copy of the request, for somebody else, has one of its own."""
    visitor = getattr(request, "_referrals_visitor", None)
    if not isinstance(visitor, Visitor) or visitor.request is not request:
        visitor = Visitor(request)
        request._referrals_visitor = visitor  # type: ignore[attr-defined]
    return visitor


def _key_of(program: Any) -> str:
    """Of a program, or of what a template calls one: its key as text."""
    return str(getattr(program, "key", program or ""))


def sample_data(request: HttpRequest, preset: str = "give_percent_get_credit") -> TermsData:
    """What is open to the editor who looks at a preview, else a ready-made program."""
    data = visitor_of(request).data
    return data if data is not None else programs.draft_data(programs.presets.get(preset).build())


# The visitor's own link


@dataclass(frozen=True)
class SharePanel:
    """``sharing`` is ``None`` for who has no link to share yet. ``gift``: what the friend gets."""

    share_id: str
    gift: str
    advocate_lines: list[words.AdvocateLine]
    sharing: Sharing | None


def share_panel(request: HttpRequest, *, to: str = "") -> SharePanel | None:
    """The visitor's link; the way to it for who has none. ``to``: the page of this site that it leads on to."""
    visitor = visitor_of(request)
    data = visitor.data
    if data is None or visitor.is_stopped:
        return None
    sharing = None
    if visitor.may_share:
        assert visitor.advocate is not None
        with transaction.atomic():
            sharing = sharing_of(request, visitor.advocate, data, to=to)
    return SharePanel(
        share_id=visitor.unique_id("link"),
        gift=programs.friend_gets(data),
        advocate_lines=words.advocate_lines(data),
        sharing=sharing,
    )


def sample_share_panel(request: HttpRequest) -> SharePanel:
    invitation = _sample_invitation(request)
    return SharePanel(
        share_id=visitor_of(request).unique_id("link"),
        gift=invitation.gift,
        advocate_lines=words.advocate_lines(sample_data(request)),
        sharing=sample_sharing(request, invitation),
    )


def sample_sharing(request: HttpRequest, invitation: Invitation) -> Sharing:
    """The link of nobody, to this invitation. Nothing is counted."""
    return Sharing(
        code=SAMPLE_CODE,
        url=share_url(SAMPLE_CODE, root=request.build_absolute_uri("/")),
        title=invitation.invites,
        message=gettext("I invite you. Your present: %(gift)s.") % {"gift": invitation.gift},
    )


@dataclass(frozen=True)
class MailLink:
    """For an e-mail to a customer; its text is ``url``. Addresses are absolute, ``share_url`` may be ""."""

    url: str
    share_url: str
    gift: str
    reward: str

    def __str__(self) -> str:
        return self.url


def mail_link(user: Any, *, site: Site | None = None, request: HttpRequest | None = None) -> MailLink | None:
    """``None`` for who is no customer, or may refer nobody at present. ``site``: else the request's, else the default.

    One query, two with the default site. The language is the current one.
    """
    if user is None or not user.is_authenticated:
        return None
    if site is None:
        site = Site.find_for_request(request) if request is not None else None
        site = site or Site.objects.filter(is_default_site=True).first()
    offer = programs.pick_terms(site_id=site.pk if site is not None else None, user_id=user.pk)
    with transaction.atomic():
        advocate = people.find_advocate(user)
        if (
            site is None
            or offer is None
            or (advocate is not None and advocate.state != Advocate.State.ACTIVE)
        ):
            return None
        may_share = advocate is not None and advocate.name_confirmed_at is not None
        own = (
            share_url(people.code_of(advocate), root=site.root_url)
            if advocate is not None and may_share
            else ""
        )
    return MailLink(
        url=site.root_url.rstrip("/") + reverse("referrals:account"),
        share_url=own,
        gift=programs.friend_gets(offer.data),
        reward=programs.advocate_gets(offer.data),
    )


# The invitation that the visitor has


def banner(request: HttpRequest) -> Invitation | None:
    """One query for who followed a link, none for others. Not on a landing page, which says it itself."""
    if hasattr(request, "referral_invitation"):
        return None
    return visitor_of(request).invitation


def sample_banner(request: HttpRequest) -> Invitation | None:
    """The same for a sample friend."""
    return None if hasattr(request, "referral_invitation") else _sample_invitation(request)


def _sample_invitation(request: HttpRequest) -> Invitation:
    return replace(sample_invitation(request, "friend"), data=sample_data(request))


# The program


def _reader(request: HttpRequest, reader: str) -> str:
    """Whose words: as the editor chose, else the friend's for who was invited."""
    if reader in (FRIEND, REFERRER):
        return reader
    return FRIEND if visitor_of(request).invitation is not None else REFERRER


def _data_for(request: HttpRequest, reader: str) -> TermsData | None:
    """What a friend was promised, else what is open to this visitor."""
    visitor = visitor_of(request)
    if reader == REFERRER:
        return visitor.data
    return (visitor.invitation or general_invitation(request)).data


def steps_panel(
    request: HttpRequest, *, reader: str = "", written: Sequence[Any] = (), data: TermsData | None = None
) -> Sequence[Any]:
    """Each with ``heading`` and ``text``: those that were written, else ours. ``data``: of these terms."""
    if written:
        return written
    reader = _reader(request, reader)
    data = data or _data_for(request, reader)
    if data is None:
        return []
    return words.steps(data) if reader == FRIEND else words.referrer_steps()


@dataclass(frozen=True)
class TermsPanel:
    conditions: list[str]
    small_print: str


def terms_panel(
    request: HttpRequest, *, reader: str = "", data: TermsData | None = None
) -> TermsPanel | None:
    """On a landing page always what the friend is promised. ``data``: these terms."""
    invitation = getattr(request, "referral_invitation", None)
    if isinstance(invitation, Invitation) and invitation.kind != "general":
        found, small_print = invitation.conditions, invitation.small_print
    else:
        reader = _reader(request, reader)
        data = data or _data_for(request, reader)
        if data is None:
            return None
        found = words.conditions(data) if reader == FRIEND else words.advocate_conditions(data)
        small_print = data.text(get_language() or "")["small_print"]
    return TermsPanel(found, small_print) if found or small_print else None


def faq_panel(
    request: HttpRequest,
    *,
    reader: str = "",
    written: Sequence[Any] = (),
    with_ours: bool = False,
    data: TermsData | None = None,
) -> list[Any]:
    """Questions with ``question`` and ``answer``: those that were written, and those that the terms answer."""
    if written and not with_ours:
        return list(written)
    reader = _reader(request, reader)
    data = data or _data_for(request, reader)
    ours: list[questions.Answered] = []
    if data is not None:
        ours = questions.for_friend(data) if reader == FRIEND else questions.for_referrer(data)
    return [*written, *ours]


# How far the visitor has come


@dataclass(frozen=True)
class ProgressPanel:
    """``milestones`` is ``None`` in a program without any: then each friend brings what ``lines`` say.

    ``count`` is how many friends have counted so far, ``None`` for who does not refer. ``heading_id``: of its heading.
    """

    heading_id: str
    milestones: Any
    lines: list[words.AdvocateLine]
    count: int | None
    count_words: str


def progress_panel(request: HttpRequest, *, program: Any = None) -> ProgressPanel | None:
    """At most two queries for a referrer, none for others."""
    visitor = visitor_of(request)
    key = _key_of(program)
    data = visitor.data_of(key) if key else visitor.data
    if data is None or visitor.is_stopped:
        return None
    lines = words.advocate_lines(data, milestones=False)
    steps, count = ladder(data), None
    if visitor.advocate is not None:
        with transaction.atomic():
            if steps is not None:
                # Whoever has passed all that this program has now still sees what they reached.
                steps = milestones_of(visitor.advocate, data)
                count = steps.count if steps is not None else 0
            else:
                count = _friends_who_count(visitor.advocate, data.program_key)
    if steps is None and not lines:
        return None
    return ProgressPanel(
        heading_id=visitor.unique_id("progress"),
        milestones=steps,
        lines=lines if steps is None else [],
        count=count,
        count_words=_count_words(count) if count is not None else "",
    )


def _friends_who_count(advocate: Advocate, program_key: str) -> int:
    found = Standing.objects.filter(
        advocate=advocate, program_key=program_key, period=recognition.current_period("ever")
    )
    return found.values_list("referrals", flat=True).first() or 0


def _count_words(count: int) -> str:
    if not count:
        return gettext("No friend of yours has ordered yet.")
    return ngettext(
        "%(count)s friend has ordered thanks to you.", "%(count)s friends have ordered thanks to you.", count
    ) % {"count": count}


def sample_progress_panel(request: HttpRequest, *, program: Any = None) -> ProgressPanel:
    visitor = visitor_of(request)
    key = _key_of(program)
    data = (visitor.data_of(key) if key else None) or sample_data(request, "milestones")
    steps = ladder(data, count=2)
    return ProgressPanel(
        heading_id=visitor.unique_id("progress"),
        milestones=steps,
        lines=words.advocate_lines(data) if steps is None else [],
        count=2,
        count_words=_count_words(2),
    )


# Who has brought the most friends


@dataclass(frozen=True)
class LeaderboardPanel:
    """``own`` is the visitor's place where it is not among ``rows``. ``may_join``: the visitor could be named."""

    heading_id: str
    period: str
    rows: list[Any]
    own: Any
    may_join: bool


def _period_words(period: str) -> str:
    if period == "month":
        return capfirst(date_format(timezone.localdate(), "YEAR_MONTH_FORMAT"))
    if period == "year":
        return str(timezone.localdate().year)
    return pgettext("leaderboard", "Since the beginning")


def leaderboard_panel(
    request: HttpRequest, *, program: Any = None, period: str = "month", size: int = 10
) -> LeaderboardPanel | None:
    """One query, and one for the visitor who is logged in. ``period``: "month", "year" or "ever"."""
    visitor = visitor_of(request)
    key = _key_of(program) or (visitor.data.program_key if visitor.data is not None else "")
    if not key:
        return None
    advocate = visitor.advocate
    with transaction.atomic():
        found = recognition.leaderboard(
            key,
            recognition.current_period(period),  # type: ignore[arg-type]
            size=size,
            advocate=advocate,
        )
    is_listed = any(row.is_own for row in found.rows)
    return LeaderboardPanel(
        heading_id=visitor.unique_id("leaderboard"),
        period=_period_words(period),
        rows=found.rows,
        own=None if is_listed else found.own,
        may_join=advocate is not None and not visitor.is_stopped and not found.is_joined,
    )


def sample_leaderboard_panel(
    request: HttpRequest, *, period: str = "month", size: int = 10
) -> LeaderboardPanel:
    numbers = (14, 9, 9, 6, 5, 4, 3, 2, 2, 1)
    rows = [
        recognition.Row(
            rank=1 + sum(other > number for other in numbers), name=name, referrals=number, is_own=False
        )
        for name, number in zip(SAMPLE_NAMES, numbers, strict=True)
    ]
    own = recognition.Row(rank=23, name=gettext("Camille"), referrals=1, is_own=True)
    return LeaderboardPanel(
        visitor_of(request).unique_id("leaderboard"), _period_words(period), rows[:size], own, may_join=False
    )


# Whom the shop thanks


def wall_panel(request: HttpRequest, *, size: int = 12) -> list[recognition.Thanks]:
    """Two queries; one while there is nobody."""
    with transaction.atomic():
        return recognition.wall(get_language() or "", size)


def sample_wall_panel(request: HttpRequest, *, size: int = 12) -> list[recognition.Thanks]:
    texts = (
        gettext("Brought a whole choir along, and two of them came back with theirs."),
        gettext("Tells everybody at the market about us, every Saturday."),
        gettext("Five friends in one month. Thank you!"),
    )
    return [
        recognition.Thanks(name=name, text=text, picture=None, since=timezone.now())
        for name, text in zip(SAMPLE_NAMES, texts, strict=False)
    ][:size]


# The customer's credit


def balance_panel(request: HttpRequest) -> list[Balance] | None:
    """``None`` for who is not logged in, an empty list for who has earned nothing. Two queries for one account."""
    visitor = visitor_of(request)
    if visitor.user is None:
        return None
    with transaction.atomic():
        return balances_in_short(visitor.user)


def sample_balance_panel(request: HttpRequest) -> list[Balance]:
    currency = conf.currencies()[0]
    until = timezone.localdate() + timedelta(days=30)
    return [
        Balance(
            unit="",
            available=credit.format_money(Decimal(45), currency),
            reserved="",
            shortfall="",
            expiring=[ending_words(Decimal(15), currency, until)],
            expiring_later=[],
            uses=[],
        )
    ]
