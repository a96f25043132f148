"""What the doctor examines where memberships are installed: can each plan be renewed, and is a renewal's order paid?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_integration.memberships import placing
from oscar_integration.memberships.charging import Card, Charge, renewal_cards
from oscar_integration.memberships.checks import INCLUDE
from oscar_integration.memberships.groups import staff_groups
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.opening import add_period
from oscar_integration.memberships.placing import CannotRenew
from oscar_integration.memberships.renewals import rehearse, switch_renewal
from oscar_integration.shop import read_facts
from wagtail_referrals.credit import format_money
from wagtail_referrals.doctor import (
    Examination,
    Finding,
    Trial,
    broken,
    crash,
    examinations,
    fine,
    later,
    look,
)
from wagtail_referrals.doctor.trial import make_account

# A sweep runs every few minutes, and a charge whose outcome is not known is asked for again after a quarter of an hour.
LATE: Final = timedelta(hours=1)
LABEL: Final = "•••• 0000"


def register() -> None:
    """Called once, from the app's ``ready``."""
    here = __name__
    for examination in (
        Examination("memberships", gettext_lazy("Memberships"), later(f"{here}.examine_memberships")),
        Examination("memberships_page", gettext_lazy("The member's page"), later(f"{here}.examine_page")),
    ):
        examinations.register(examination)


def examine_memberships(trial: Trial) -> Iterator[Finding]:
    plans = list(Plan.objects.select_related("product").order_by("pk"))
    if not plans:
        yield fine(_("There is no plan: nothing is sold or given as a membership."))
        return
    yield from _late(trial)
    yield from _groups()
    renewing = [plan for plan in plans if plan.renews]
    if not renewing:
        yield fine(_("No plan renews by itself: no card is ever charged."))
        return
    user = trial.friend or make_account()
    yield from _cards(user)
    tried = False
    for plan in renewing:
        priced, findings = _quoted(plan, user)
        yield from findings
        if priced is not None and not tried:
            tried = True
            yield from _rehearsed(plan, trial)


def _late(trial: Trial) -> Iterator[Finding]:
    due = trial.now - LATE
    number = Renewal.objects.filter(state__in=Renewal.OPEN, next_attempt_at__lt=due).count()
    if number:
        words = ngettext(
            "%(count)s renewal has been due for more than an hour.",
            "%(count)s renewals have been due for more than an hour.",
            number,
        )
        yield look(words % {"count": number}, _('Does "manage.py referrals_sweep" run often enough?'))
    charging = Renewal.objects.filter(state=Renewal.State.CHARGING).exclude(refusal="")
    if number := charging.count():
        words = ngettext(
            "Of %(count)s renewal it is not known whether its card was charged, or its order could not be placed.",
            "Of %(count)s renewals it is not known whether their cards were charged, or their orders could not be "
            "placed.",
            number,
        )
        yield look(
            words % {"count": number},
            _("They are asked for again under the same keys. The log says what fails."),
        )


def _groups() -> Iterator[Finding]:
    for plan in Plan.objects.filter(group__in=staff_groups()).select_related("group").order_by("pk"):
        yield broken(
            _("“%(group)s”, the group of “%(plan)s”, opens the administration: members are not put into it.")
            % {"group": plan.group, "plan": plan.name},
            _("Take that right from the group, or choose another group for the plan."),
        )


# What charges


def _cards(user: Any) -> Iterator[Finding]:
    """The shop's class is made, and asked for the card of somebody who keeps none. It is never asked to charge."""
    mend = _("Name a class with charge(request) and card(user), which is made without arguments.")
    try:
        cards = renewal_cards()
    except ImproperlyConfigured:
        yield broken(
            _(
                "RENEWAL_CARDS leads nowhere: renewals that credit does not pay wholly fail, and memberships end."
            ),
            mend,
        )
        return
    except Exception as error:
        yield crash(error, _("What charges cards for renewals cannot be made"), mend)
        return
    if cards is None:
        yield look(
            _("Nothing charges cards for renewals: what credit does not pay wholly is refused."),
            _('Name the shop\'s class in WAGTAIL_REFERRALS_OSCAR["RENEWAL_CARDS"].'),
        )
        return
    missing = [name for name in ("charge", "card") if not callable(getattr(cards, name, None))]
    if missing:
        yield broken(
            _("What charges cards for renewals has no %(name)s.") % {"name": f"{missing[0]}()"}, mend
        )
        return
    try:
        with transaction.atomic():
            card: Any = cards.card(user)
    except Exception as error:
        yield crash(
            error,
            _("It cannot be asked which card a customer keeps"),
            _("card(user) answers with None for who keeps none."),
        )
        return
    if card is not None and not isinstance(card, Card):
        yield broken(
            _("card(user) answers with a %(type)s.") % {"type": type(card).__name__},
            _("Answer with a Card, or None for who keeps none."),
        )
        return
    yield fine(_("The shop says which card a customer keeps. It was not asked to charge one."))


# What is sold


def _quoted(plan: Plan, user: Any) -> tuple[placing.Priced | None, list[Finding]]:
    """What the plan's renewal would cost this customer, without a request, and what is to be said about it."""
    values: dict[str, Any] = {"plan": plan.name}
    if plan.product is None:
        return None, [
            broken(
                _("“%(plan)s” renews by itself, and has no product that could be ordered.") % values,
                _("Choose its product, or let it renew no more."),
            )
        ]
    try:
        priced = placing.quote(Membership(user=user, plan=plan))
    except CannotRenew as error:
        return None, [
            broken(
                _("“%(plan)s” could not be renewed now: %(reason)s") % (values | {"reason": error.words}),
                _(
                    "A renewal has no request and no address: the shop's strategy must know price, stock and tax of "
                    "the product without them."
                ),
            )
        ]
    except Exception as error:
        return None, [
            crash(
                error,
                _("What a renewal of “%(plan)s” costs cannot be worked out") % values,
                _("A renewal has no request: does the shop's strategy, offer or tax want one?"),
            )
        ]
    found = [
        fine(
            _("“%(plan)s” would be renewed for %(amount)s.")
            % (values | {"amount": format_money(priced.total, priced.currency)})
        )
    ]
    if not plan.product.is_public:
        found.append(
            look(
                _("The product of “%(plan)s” is not public: nobody new can buy it, and members are renewed.")
                % values,
                _("If nobody is to be renewed either, let the plan renew no more."),
            )
        )
    return priced, found


def _rehearsed(plan: Plan, trial: Trial) -> Iterator[Finding]:
    """A renewal from its plan to its order, as if the card had been charged."""
    user = make_account()
    period = add_period(
        user=user,
        plan=plan,
        key=f"staff:{uuid4()}",
        origin=Period.Origin.STAFF,
        now=trial.now,
        counts_from=trial.now,
    )
    switch_renewal(period.membership_id, True, trial.now)
    membership = Membership.objects.select_related("plan", "user").get(pk=period.membership_id)
    before = membership.ends_at
    charge = Charge(reference="doctor", label=LABEL)
    try:
        with transaction.atomic():
            renewal = rehearse(membership, charge, now=trial.now)
    except CannotRenew as error:
        yield broken(_("A renewal could not be agreed on: %(reason)s") % {"reason": error.words})
        return
    except Exception as error:
        yield crash(
            error,
            _("A renewal is charged, and its order cannot be placed"),
            _(
                "It is tried again with each sweep. The order is made without a request, by the shop's OrderCreator."
            ),
        )
        return
    number = str(renewal.order_number)
    fact = read_facts([number]).get(number)
    membership.refresh_from_db()
    if fact is None or fact.paid_at is None:
        yield broken(
            _("The order of a renewal does not count as paid: its status is none of PAID_STATUSES."),
            _(
                'Name a status in WAGTAIL_REFERRALS_OSCAR["PAID_STATUSES"] that a new order can have or step to.'
            ),
        )
        return
    if fact.cancelled or membership.ends_at is None or before is None or membership.ends_at <= before:
        yield broken(
            _("The order of a renewal is paid, and the membership runs no longer for it."),
            _("Is one of PAID_STATUSES a status of cancelled or refunded orders, too?"),
        )
        return
    yield fine(
        _(
            "A renewal is placed as an order that counts as paid, and the membership runs on. No card was charged."
        )
    )


# The customer's page


def examine_page(trial: Trial) -> Iterator[Finding]:
    try:
        path = reverse("memberships:list")
    except NoReverseMatch:
        yield broken(
            _("The member's page has no address: customers cannot switch a renewal off."),
            _("Add %(line)s to urls.py.") % {"line": INCLUDE},
        )
        return
    browser = trial.need("browser")
    browser.sign_in(trial.need("friend"))
    answer = browser.get(path, public=False)
    if answer.error is not None:
        yield crash(answer.error, _("The member's page fails"))
    elif not answer.is_page or answer.met_login:
        yield broken(
            _("The member's page answers with %(status)s.") % {"status": answer.status},
            _("Does something of the shop's stand before it?"),
        )
    else:
        yield fine(_("The member's page “Your memberships” is drawn."))
