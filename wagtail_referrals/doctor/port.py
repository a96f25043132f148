"""The port to the shop, asked as the engine asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.test import RequestFactory
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_referrals.doctor.findings import Finding, broken, fine, look
from wagtail_referrals.doctor.places import crash
from wagtail_referrals.doctor.trial import Trial
from wagtail_referrals.referrals import (
    Facts,
    get_shop,
    not_written,
    shop_orders_by_day,
    shop_register_url,
    shop_renews,
)
from wagtail_referrals.referrals.models import Purchase


def examine_port(trial: Trial) -> Iterator[Finding]:
    try:
        shop = get_shop()
    except Exception as error:
        yield crash(
            error,
            _("The shop does not answer"),
            _('Name a class that can be imported in WAGTAIL_REFERRALS["SHOP"].'),
        )
        return
    questions: list[tuple[str, Callable[[], Any]]] = [
        (
            "was_customer",
            lambda: shop.was_customer(user=None, email="nobody@example.invalid", excluding=None),
        ),
        ("ranges", lambda: list(shop.ranges())),
        ("orders_of_customers", lambda: shop.orders_of_customers(None).orders.order_by().first()),
        ("takes_credit", shop.takes_credit),
        ("renews", shop_renews),
        ("orders_by_day", lambda: shop_orders_by_day(trial.now - timedelta(days=1), trial.now)),
        ("register_url", lambda: shop_register_url(RequestFactory().get("/"))),
        ("start_url", lambda: shop.start_url(RequestFactory().get("/"))),
    ]
    recent = Purchase.objects.order_by("-pk").values_list("reference", flat=True).first()
    answers = {}
    for name, ask in questions:
        try:
            answers[name] = ask()
        except Exception as error:
            yield crash(error, _("The shop does not answer %(question)s") % {"question": f"{name}()"})
    yield from _facts(shop, recent)
    if answers.get("was_customer"):
        yield broken(
            _("The shop takes somebody who was never there for an old customer: no friend counts as new."),
            _("Look at was_customer() of the class that WAGTAIL_REFERRALS names as SHOP."),
        )
    if len(answers) == len(questions):
        yield fine(_("The shop answers what the program asks it."))
    yield from _old_customers()


def _old_customers() -> Iterator[Finding]:
    """By whose addresses a friend is no new customer, whatever the dots and plus signs."""
    try:
        left = not_written()
    except Exception as error:
        yield crash(error, _("The shop does not answer %(question)s") % {"question": "guest_orders()"})
        return
    mend = _(
        'Run "manage.py referrals_backfill": else an old customer with a variant of the address counts as new.'
    )
    if left["accounts"]:
        words = ngettext(
            "The address of %(count)s account is not written down yet.",
            "The addresses of %(count)s accounts are not written down yet.",
            left["accounts"],
        )
        yield look(words % {"count": left["accounts"]}, mend)
    if left["orders"]:
        words = ngettext(
            "The address of %(count)s guest order is not written down yet.",
            "The addresses of %(count)s guest orders are not written down yet.",
            left["orders"],
        )
        yield look(words % {"count": left["orders"]}, mend)
    if not any(left.values()):
        yield fine(_("All accounts and guest orders are known by their addresses."))


def _facts(shop: Any, recent: str | None) -> Iterator[Finding]:
    try:
        unknown = shop.facts(["referrals-doctor"])
        found = shop.facts([recent]) if recent else {}
    except Exception as error:
        yield crash(error, _("The shop does not answer %(question)s") % {"question": "facts()"})
        return
    if unknown:
        yield broken(
            _("The shop tells facts of an order that does not exist."),
            _("facts() leaves unknown orders out."),
        )
    if recent and not isinstance(found.get(recent), Facts):
        yield broken(
            _("The shop no longer knows an order that was attributed: %(number)s.") % {"number": recent},
            _("facts() takes the order's number and answers by it."),
        )
