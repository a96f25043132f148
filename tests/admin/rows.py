"""Rows for the admin to show, written directly: what they look like here is what the engine would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from wagtail.users.models import UserProfile

from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import presets, publish_terms
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals import timeline
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, Lead, Visit

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
# Who is signed in where a test asks for an administrator.
ADMIN = "admin@example.com"


def make_user(email: str, first_name: str = "", last_name: str = "", **values: Any) -> Any:
    return get_user_model().objects.create_user(
        username=email, email=email, password="souffle", first_name=first_name, last_name=last_name, **values
    )


def reads(email: str, language: str) -> None:
    """The language that somebody has chosen for the admin."""
    user = get_user_model().objects.get(username=email)
    UserProfile.objects.update_or_create(user=user, defaults={"preferred_language": language})


def make_program(preset: str = "give_percent_get_credit", *, live: bool = True, **values: Any) -> Program:
    """A ready-made program as if it had been published; its terms are there when it is live."""
    program = presets.get(preset).build()
    for name, value in values.items():
        setattr(program, name, value)
    program.live = live
    if live:
        program.first_published_at = program.last_published_at = NOW
    program.save()
    if live:
        publish_terms(program, now=NOW)
    return program


def make_advocate(email: str = "camille@example.com", name: str = "Camille") -> Advocate:
    advocate = people.advocate_for(make_user(email, name))
    assert people.code_of(advocate)
    return advocate


def make_referral(
    terms: Terms,
    advocate: Advocate,
    friend: Any = None,
    *,
    state: str = Referral.State.WAITING_ORDER,
    reason: str = "",
    moment: datetime = NOW,
    **values: Any,
) -> Referral:
    """A friend who came by a link at ``moment``."""
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=moment)
    claim = Claim.objects.create(
        visit=visit,
        advocate=advocate,
        terms=terms,
        source=Claim.Source.LINK,
        created_at=moment,
        expires_at=moment + timedelta(days=30),
    )
    referral = Referral.objects.create(
        terms=terms,
        program_key=terms.program_key,
        advocate=advocate,
        claim=claim,
        friend=friend,
        state=state,
        reason=reason,
        created_at=moment,
        **values,
    )
    timeline.record("claim", referral=referral, data={"source": "link"}, now=moment)
    return referral


def make_purchase(
    referral: Referral, reference: str, eligible: str = "100.00", *, moment: datetime = NOW, **values: Any
) -> Purchase:
    amount = Decimal(eligible)
    values = {
        "currency": "EUR",
        "total": amount + Decimal("4.90"),
        "watch_until": moment + timedelta(days=180),
    } | values
    purchase = Purchase.objects.create(
        reference=reference, referral=referral, placed_at=moment, eligible=amount, **values
    )
    timeline.record(
        "purchase",
        referral=referral,
        data={"reference": reference, "amount": str(purchase.total), "currency": purchase.currency},
        now=moment,
    )
    return purchase


def make_reward(
    referral: Referral, amount: str, posted: str = "0", *, moment: datetime = NOW, **values: Any
) -> Reward:
    """The advocate's reward by the first rule of theirs; ``posted`` of it has been given."""
    rule = next(rule for rule in referral.terms.data["rules"] if rule["side"] == "advocate")
    values = {
        "state": Reward.State.GIVEN if Decimal(posted) else Reward.State.WAITING,
        "given_at": moment if Decimal(posted) else None,
        "currency": "EUR",
        "user": referral.advocate.user,
        "kind": rule["kind"],
        "occasion": "registration",
    } | values
    return Reward.objects.create(
        referral=referral,
        terms=referral.terms,
        rule_key=rule["key"],
        side="advocate",
        advocate=referral.advocate,
        amount=Decimal(amount),
        posted=Decimal(posted),
        created_at=moment,
        **values,
    )


def make_discount(referral: Referral, used_in: Purchase, amount: str) -> DiscountGrant:
    """The friend's discount, used in an order."""
    rule = next(rule for rule in referral.terms.data["rules"] if rule["side"] == "friend")
    return DiscountGrant.objects.create(
        claim=referral.claim,
        terms=referral.terms,
        rule_key=rule["key"],
        kind=rule["kind"],
        state=DiscountGrant.State.USED,
        used_reference=used_in.reference,
        used_amount=Decimal(amount),
        used_currency=used_in.currency,
        created_at=used_in.placed_at,
    )


def make_lead(claim: Claim, email: str = "robin@friends.example", **values: Any) -> Lead:
    """An address that was left with the invitation."""
    values = {"consent": "Yes, send me one e-mail.", "language": "en", "created_at": NOW} | values
    return Lead.objects.create(claim=claim, email=email, **values)
