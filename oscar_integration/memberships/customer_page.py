"""What the page "Your memberships" shows. Only reads."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db import transaction
from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_integration.account import Tab
from oscar_integration.memberships import renewals
from oscar_integration.memberships.charging import Card, renewal_cards
from oscar_integration.memberships.codes import spaced
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal, Use
from oscar_integration.memberships.renewals import Forecast
from oscar_integration.memberships.words import day_words, plan_words, renews_words
from wagtail_referrals import credit, people
from wagtail_referrals.kinds import Side
from wagtail_referrals.referrals import get_shop

logger = logging.getLogger("oscar_integration")

# Of those that have ended; and of each that runs the last visits and periods.
PAGE_SIZE: Final = 20
HISTORY: Final = 20
Origin = Period.Origin
State = Membership.State


@dataclass(frozen=True)
class Source:
    """Where a period came from: "a gift: Inès invited you", "order 100123" with the address of its page."""

    words: str
    url: str = ""


@dataclass(frozen=True)
class Part:
    """One period. ``note`` says what is not as usual."""

    days: str
    source: Source
    note: str


@dataclass(frozen=True)
class Renewing:
    """The renewal of a plan that has one. ``question``: what its switch does; ``action`` is on it."""

    is_on: bool
    words: str
    needs_card: bool
    question: list[str]
    action: str


@dataclass(frozen=True)
class Running:
    """A membership that runs, or waits for its payment. ``trouble``: what there is to know of a renewal that failed."""

    pk: int
    title: str
    state: str
    state_words: str
    days: str
    waits_for: Source | None
    code: str
    uses_left: int | None
    uses_note: str
    trouble: list[str]
    renewing: Renewing | None
    parts: list[Part]
    visits: list[Use]
    visit_count: int

    @property
    def source(self) -> Source | None:
        """Where it came from, as far as that is one thing."""
        return self.parts[0].source if len(self.parts) == 1 and self.waits_for is None else None


@dataclass(frozen=True)
class Ended:
    """A membership that was. ``visits`` is how many there were."""

    title: str
    days: str
    reason: str
    source: Source | None
    visits: int


@dataclass(frozen=True)
class Offer:
    """A plan that is sold, and what one period of it is."""

    title: str
    words: str
    url: str


def has_memberships(request: HttpRequest) -> bool:
    """Whether the customer who is logged in has or had one. 1 query."""
    return Membership.objects.filter(user=request.user.pk).exists()


TAB: Final = Tab("memberships", "memberships:list", _("Memberships"), has_memberships)


def page_context(request: HttpRequest, *, now: datetime | None = None) -> dict[str, Any]:
    """Everything on the page, for the customer who asks. A constant number of queries, and those of the forecasts."""
    moment = now or timezone.now()
    user = request.user
    running = running_of(user, moment)
    ended = Paginator(ended_of(user, moment), PAGE_SIZE).get_page(request.GET.get("ended"))
    orders = own_orders(user, [*running, *ended.object_list])
    forecasts = forecasts_of(running, moment)
    any_renews = any(membership.plan.renews for membership in running)
    return {
        "running": [_running(membership, forecasts, orders, moment) for membership in running],
        "ended": _ended_page(ended, orders),
        # A page of them was asked for.
        "ended_open": "ended" in request.GET,
        "card": card_of(user) if any_renews else None,
        "credit_lines": credit_lines(user, forecasts.values()),
        "offers": offers() if not running else [],
        "shop_url": get_shop().start_url(request),
    }


# Reading


def _over(now: datetime) -> Q:
    """Those that have ended, whether that has been noted yet or not."""
    return Q(state=State.ENDED) | Q(access_until__isnull=False, access_until__lte=now)


def _with_history(rows: Any) -> Any:
    """Memberships with their names, how many visits, and ``parts``: their periods. 3 queries with their own."""
    periods = Period.objects.select_related("reward__referral__advocate", "reward__referral__friend")
    came = Count("uses_made", filter=Q(uses_made__undone_at=None))
    return (
        rows.select_related("plan__product", "user")
        .annotate(visit_count=came)
        .prefetch_related("plan__names", Prefetch("periods", periods.order_by("pk"), to_attr="parts"))
    )


def running_of(user: Any, now: datetime) -> list[Any]:
    """The customer's memberships that run or wait for their payment, the oldest first. 5 queries."""
    visits = Use.objects.filter(undone_at=None).order_by("-used_at", "-pk")[:HISTORY]
    rows = Membership.objects.filter(user=user.pk).exclude(_over(now)).order_by("created_at", "pk")
    return list(
        _with_history(rows).prefetch_related(
            Prefetch("uses_made", visits, to_attr="visits"),
            Prefetch("renewals", Renewal.objects.filter(state__in=Renewal.OPEN), to_attr="open_renewals"),
        )
    )


def ended_of(user: Any, now: datetime) -> Any:
    """The customer's memberships that are over, the last one first."""
    rows = Membership.objects.filter(_over(now), user=user.pk).order_by("-ends_at", "-pk")
    return _with_history(rows)


def own_orders(user: Any, memberships: Iterable[Any]) -> set[str]:
    """The numbers of those orders of these memberships that this customer can open. 1 query; none without an order."""
    numbers = {part.order_number for membership in memberships for part in membership.parts} - {""}
    if not numbers:
        return set()
    orders = get_model("order", "Order")._default_manager.filter(user=user.pk, number__in=numbers)
    return set(orders.values_list("number", flat=True))


def forecasts_of(memberships: Sequence[Any], now: datetime) -> dict[int, Forecast]:
    """What the next renewals will cost, by membership. Credit pays the first one first, and is spent once."""
    found = {}
    for membership in memberships:
        if membership.renews and membership.plan.renews:
            forecast = forecast_of(membership, now)
            if forecast is not None:
                found[membership.pk] = forecast
    spent: dict[str, Decimal] = {}
    for pk, forecast in sorted(found.items(), key=lambda item: item[1].due_at):
        before = spent.get(forecast.currency, Decimal(0))
        pays = max(min(forecast.credit, forecast.credit_left - before), Decimal(0))
        if pays != forecast.credit:
            found[pk] = replace(forecast, credit=pays, charge=forecast.total - pays)
        spent[forecast.currency] = before + pays
    return found


def forecast_of(membership: Membership, now: datetime) -> Forecast | None:
    """As ``renewals.forecast``; ``None`` also where the shop's prices fail to say."""
    try:
        with transaction.atomic():
            return renewals.forecast(membership, now)
    except Exception:
        logger.exception("The page of memberships is shown without what a renewal will cost")
        return None


def card_of(user: Any) -> Card | None:
    """The card that a renewal would charge, and where it is changed. A shop that fails to say has none."""
    try:
        with transaction.atomic():
            cards = renewal_cards()
            return cards.card(user) if cards is not None else None
    except Exception:
        logger.exception("The page of memberships is shown without the customer's card")
        return None


def credit_lines(user: Any, forecasts: Iterable[Forecast]) -> list[str]:
    """What the customer has for the next order: the credit that no renewal takes. A line for each currency. 1 query."""
    if not get_shop().takes_credit():
        return []
    taken: dict[str, Decimal] = {}
    for forecast in forecasts:
        taken[forecast.currency] = taken.get(forecast.currency, Decimal(0)) + forecast.credit
    lines = []
    for account in credit.accounts_of(user):
        rest = account.available - taken.get(account.currency, Decimal(0))
        if rest > 0 and credit.is_money(account.currency):
            words = (
                gettext("Besides, you have %(amount)s of referral credit for your next order.")
                if taken.get(account.currency)
                else gettext("You have %(amount)s of referral credit for your next order.")
            )
            lines.append(words % {"amount": credit.format_money(rest, account.currency)})
    return lines


def offers() -> list[Offer]:
    """The plans that are sold. 2 queries."""
    plans = Plan.objects.filter(product__is_public=True).select_related("product").prefetch_related("names")
    return [Offer(plan.title, plan_words(plan), plan.product.get_absolute_url()) for plan in plans]


# Where it came from


def source_of(part: Period, orders: set[str]) -> Source:
    """``orders`` are those that the customer can open."""
    if part.order_number:
        # Translators: where a period of a membership came from.
        words = (
            gettext("renewal, order %(number)s")
            if part.origin == Origin.RENEWAL
            else gettext("order %(number)s")
        )
        url = order_url(part.order_number) if part.order_number in orders else ""
        return Source(words % {"number": part.order_number}, url)
    if part.origin == Origin.REWARD:
        return Source(reward_words(part.reward))
    if part.origin == Origin.STAFF:
        # Translators: where a period of a membership came from. The shop speaks.
        return Source(gettext("given by us"))
    return Source(str(part.get_origin_display()))


def order_url(number: str) -> str:
    try:
        return reverse("customer:order", kwargs={"order_number": number})
    except NoReverseMatch:
        return ""


def reward_words(reward: Any) -> str:
    """ "a gift: Inès invited you". Who refers reads no more of a friend's name than under "Refer a friend"."""
    if reward is None:
        return gettext("a reward")
    if reward.side == Side.FRIEND:
        name = reward.referral.advocate.public_name
        if not name:
            return gettext("a gift: a friend invited you")
        return gettext("a gift: %(name)s invited you") % {"name": name}
    first_name = getattr(reward.referral.friend, "first_name", "")
    if not first_name:
        return gettext("a reward: you invited a friend")
    return gettext("a reward: you invited %(name)s") % {"name": people.mask(first_name)}


# In words


def _days(starts_at: datetime | None, ends_at: datetime | None) -> str:
    if starts_at is None or ends_at is None:
        return ""
    # Translators: two days, from the first to the last.
    return gettext("%(first)s to %(last)s") % {"first": day_words(starts_at), "last": day_words(ends_at)}


def _part(part: Period, orders: set[str], now: datetime) -> Part:
    note = ""
    if part.taken_back_at is not None:
        note = str(part.get_taken_back_reason_display())
    elif part.counts_from is None:
        note = gettext("not paid yet")
    elif part.starts_at is not None and part.starts_at > now:
        note = gettext("comes after the present one")
    return Part(_days(part.starts_at, part.ends_at), source_of(part, orders), note)


def _running(membership: Any, forecasts: Mapping[int, Forecast], orders: set[str], now: datetime) -> Running:
    waits = membership.state == State.WAITING
    unpaid = [part for part in membership.parts if part.counts_from is None and part.taken_back_at is None]
    uses_note = ""
    if membership.uses_left == 0 and membership.renews and membership.plan.renews:
        uses_note = gettext("New ones come with the renewal.")
    past_due = membership.state == State.PAST_DUE
    return Running(
        pk=membership.pk,
        title=membership.plan.title,
        state=membership.state,
        state_words=capfirst(str(membership.get_state_display())),
        days="" if waits else _days(membership.starts_at, membership.ends_at),
        waits_for=source_of(unpaid[0], orders) if waits and unpaid else None,
        code=spaced(membership.code),
        uses_left=None if waits else membership.uses_left,
        uses_note=uses_note,
        trouble=trouble_words(membership, next(iter(membership.open_renewals), None)) if past_due else [],
        renewing=None if waits or not membership.plan.renews else _renewing(membership, forecasts, now),
        parts=[_part(part, orders, now) for part in reversed(membership.parts)][:HISTORY],
        visits=membership.visits,
        visit_count=membership.visit_count,
    )


def trouble_words(membership: Membership, renewal: Renewal | None) -> list[str]:
    """It could not be renewed: how much is to be paid, until when that does not matter, what comes next."""
    if renewal is not None and renewal.charge and renewal.currency:
        amount = credit.format_money(renewal.charge, renewal.currency)
        lines = [gettext("The renewal is not paid yet: %(amount)s.") % {"amount": amount}]
    else:
        lines = [gettext("The renewal is not paid yet.")]
    if renewal is not None and renewal.refusal:
        lines.append(renewal.refusal)
    lines.append(
        gettext("Your access goes on until %(day)s. If it is not paid by then, the membership ends.")
        % {"day": day_words(membership.access_until)}
    )
    if renewal is not None and renewal.next_attempt_at is not None:
        lines.append(gettext("We try again on %(day)s.") % {"day": day_words(renewal.next_attempt_at)})
    return lines


def _renewing(membership: Membership, forecasts: Mapping[int, Forecast], now: datetime) -> Renewing:
    day = {"day": day_words(membership.ends_at)}
    if not membership.renews:
        as_if = copy(membership)
        as_if.renews = True
        later = forecast_of(as_if, now)
        return Renewing(
            is_on=False,
            words=gettext("It ends on %(day)s. The renewal is switched off.") % day,
            needs_card=False,
            question=[
                gettext("Renews on %(day)s.") % day if later is None else forecast_words(later),
                gettext("Then again at the end of each period, until you switch it off."),
            ],
            action=gettext("Switch the renewal on"),
        )
    forecast = forecasts.get(membership.pk)
    if membership.state == State.PAST_DUE:
        words = ""
        question = gettext(
            "The membership then ends at once: it is paid until %(day)s only. Nothing is charged."
        )
    else:
        words = gettext("Renews on %(day)s.") % day if forecast is None else forecast_words(forecast)
        question = gettext("You then have access until %(day)s, and nothing more is charged.")
    return Renewing(
        is_on=True,
        words=words,
        needs_card=forecast is not None and forecast.charge > 0 and not forecast.card,
        question=[question % day],
        action=gettext("Switch the renewal off"),
    )


def forecast_words(forecast: Forecast) -> str:
    """ "Renews on 14 December for 75.00 €: ..."."""
    return renews_words(
        day=day_words(forecast.due_at),
        currency=forecast.currency,
        total=forecast.total,
        credit=forecast.credit,
        charge=forecast.charge,
        card=forecast.card,
    )


def _ended_page(page: Page, orders: set[str]) -> Page:
    page.object_list = [
        Ended(
            title=membership.plan.title,
            days=_days(membership.starts_at, membership.ends_at),
            reason=str(membership.get_ended_reason_display()),
            source=source_of(membership.parts[0], orders) if membership.parts else None,
            visits=membership.visit_count,
        )
        for membership in page.object_list
    ]
    return page
