"""Checks: small callables that look at a referral and say what they think. They deny by their own word only.

A shop adds its own with ``checks.register(Check("my_check", my_function))``; a check that raises holds the referral for
review, so that a broken check never pays and never refuses anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import Registry
from wagtail_referrals.people import email_key, email_of_account
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import name_checks
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.referrals.shop import Shop
from wagtail_referrals.trust.models import Decision


@dataclass(frozen=True)
class Subject:
    """What a check looks at. ``purchase`` is empty while the friend has not ordered."""

    referral: Referral
    advocate: Advocate
    terms: TermsData
    purchase: Purchase | None
    shop: Shop


@dataclass(frozen=True)
class CheckResult:
    """``outcome`` is one of Decision.Outcome; ``reason`` a code of referrals.REASONS or the shop's own words."""

    outcome: str = Decision.Outcome.PASS
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    key: str
    run: Callable[[Subject], CheckResult]
    # Needs an order to look at; asked again at each order.
    on_purchase: bool = True
    # Asked about the referral itself, again at each look until it objects: who people are comes to light later, when
    # a guest opens an account.
    on_people: bool = False
    # Asked once, without an order, about a friend who has registered and not ordered: that can be rewarded too.
    on_registration: bool = False
    label: Any = ""


PASS = CheckResult()
checks: Registry[Check] = Registry("check")


def check_label(key: str) -> str:
    """What a check is called; "" for one that the site does not have, or that has no name."""
    return str(checks.get(key).label) if key in checks else ""


name_checks(check_label)


def own_account(subject: Subject) -> CheckResult:
    friend = subject.referral.friend_id
    if friend is not None and friend == subject.advocate.user_id:
        return CheckResult(Decision.Outcome.REFUSE, "own_link")
    return PASS


def own_email(subject: Subject) -> CheckResult:
    """The same mailbox, whatever its dots, +tags and case."""
    user = subject.advocate.user
    theirs = {subject.advocate.email_hash, email_key(email_of_account(user))} - {""}
    friend = subject.referral.friend
    ours = {subject.referral.friend_email_hash, email_key(email_of_account(friend))} - {""}
    return CheckResult(Decision.Outcome.REFUSE, "own_link") if theirs & ours else PASS


def advocate_state(subject: Subject) -> CheckResult:
    if subject.advocate.state == Advocate.State.BLOCKED and subject.advocate.user_id is not None:
        return CheckResult(Decision.Outcome.REFUSE, "advocate_blocked")
    return PASS


def new_customer(subject: Subject) -> CheckResult:
    """About the friend's registration and their first order within the referral: the next ones are no news."""
    if not subject.terms.new_customers_only:
        return PASS
    if subject.purchase is None:
        friend = subject.referral.friend
        known = friend is not None and subject.shop.was_customer(
            user=friend, email=email_of_account(friend), excluding=None
        )
        return CheckResult(Decision.Outcome.REFUSE, "existing_customer") if known else PASS
    first = subject.referral.purchases.order_by("placed_at", "pk").first()
    if subject.purchase.was_customer and first is not None and first.pk == subject.purchase.pk:
        return CheckResult(Decision.Outcome.REFUSE, "existing_customer")
    return PASS


def same_address(subject: Subject) -> CheckResult:
    """People who live together do refer each other: a person looks, nobody is refused."""
    if subject.purchase is None or subject.advocate.user is None:
        return PASS
    if subject.shop.same_delivery_address(subject.purchase.reference, subject.advocate.user):
        return CheckResult(Decision.Outcome.HOLD, "same_address")
    return PASS


for _check in (
    Check("own_account", own_account, on_purchase=False, on_people=True, label=_("own account")),
    Check("own_email", own_email, on_purchase=False, on_people=True, label=_("own e-mail address")),
    Check("advocate_state", advocate_state, on_purchase=False, label=_("state of the referrer")),
    Check("new_customer", new_customer, on_registration=True, label=_("new customer")),
    Check("same_address", same_address, label=_("same address")),
):
    checks.register(_check)
