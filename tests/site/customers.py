"""Customers as they come to their own pages: with many friends in every state, with credit, discounts and questions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from wagtail_referrals import credit
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, Visit

NAMES = ["Léa", "Wolfgang Amadeus", "", "Zoé", "Anne-Charlotte-Philippine-Marguerite", "李"]
# With what each state is explained by.
STATES = {
    "waiting_order": "order",
    "waiting_payment": "delivery",
    "waiting_period": "hold",
    "to_check": "same_address",
    "rewarded": "",
    "complete": "minimum",
    "refused": "existing_customer",
    "taken_back": "cancelled",
    "expired": "window",
}
REWARD_STATES = {
    "waiting_payment": "waiting",
    "waiting_period": "waiting",
    "to_check": "to_check",
    "rewarded": "given",
    "taken_back": "taken_back",
}


def with_friends(advocate: Advocate, terms: Terms, number: int, *, first: int = 0) -> None:
    """That many friends in every state, a third of them with their first name agreed; and half as many open claims."""
    now = timezone.now()
    moments = [now - timedelta(hours=7 * each, days=1) for each in range(number)]
    users = get_user_model().objects.bulk_create(
        [
            get_user_model()(
                username=f"friend{first + each}",
                email=f"friend{first + each}@example.com",
                first_name=NAMES[each % len(NAMES)],
            )
            for each in range(number)
        ]
    )
    channels = ["whatsapp", "email", "copy", "qr", ""]
    visits = Visit.objects.bulk_create(
        Visit(
            advocate=advocate, terms=terms, channel=channels[each % len(channels)], created_at=moments[each]
        )
        for each in range(number)
    )
    claims = Claim.objects.bulk_create(
        Claim(
            advocate=advocate,
            terms=terms,
            visit=visits[each],
            source="link",
            state="used",
            created_at=moments[each],
            expires_at=moments[each] + timedelta(days=30),
        )
        for each in range(number)
    )
    Claim.objects.bulk_create(
        Claim(
            advocate=advocate,
            terms=terms,
            source="code",
            created_at=moments[each] + timedelta(minutes=5),
            expires_at=now + timedelta(days=12),
        )
        for each in range(0, number, 2)
    )
    states = list(STATES)
    referrals = Referral.objects.bulk_create(
        Referral(
            terms=terms,
            program_key=terms.program_key,
            advocate=advocate,
            claim=claims[each],
            friend=users[each],
            registered_at=moments[each] + timedelta(hours=1) if each % 4 else None,
            name_agreed_at=moments[each] if each % 3 == 0 else None,
            state=(state := states[each % len(states)]),
            reason=STATES[state],
            hold_until=now + timedelta(days=9) if state in ("waiting_period", "waiting_order") else None,
            created_at=moments[each] + timedelta(hours=1),
        )
        for each in range(number)
    )
    ordered = [referral for referral in referrals if referral.state not in ("waiting_order", "expired")]
    purchases = Purchase.objects.bulk_create(
        Purchase(
            reference=f"P{referral.pk}-{order}",
            referral=referral,
            placed_at=referral.created_at + timedelta(days=order),
            currency="EUR",
            eligible=Decimal(80),
            total=Decimal(85),
            watch_until=now + timedelta(days=60),
        )
        for referral in ordered
        for order in range(3)
    )
    rule = terms.data["rules"][1]["key"]
    Reward.objects.bulk_create(
        Reward(
            referral=purchase.referral,
            terms=terms,
            rule_key=rule,
            side="advocate",
            occasion=f"purchase:{purchase.pk}",
            advocate=advocate,
            purchase=purchase,
            kind="credit",
            user=advocate.user,
            currency="EUR",
            amount=Decimal(15),
            posted=Decimal(15) if purchase.referral.state == "rewarded" else Decimal(0),
            state=REWARD_STATES[purchase.referral.state],
            reason=purchase.referral.reason,
            given_at=purchase.placed_at if purchase.referral.state == "rewarded" else None,
            created_at=purchase.placed_at,
        )
        for purchase in purchases
        if purchase.referral.state in REWARD_STATES
    )


def with_credit(advocate: Advocate, number: int) -> None:
    """That many movements of credit for the advocate's rewards, each with a last day of its own."""
    now = timezone.now()
    rewards = list(Reward.objects.filter(advocate=advocate, state="given")[:number])
    for each in range(number):
        credit.grant(
            user=advocate.user,
            currency="EUR",
            amount=Decimal(15),
            key=f"reward:{rewards[each].pk}:1" if each < len(rewards) else f"present:{each}",
            expires_at=now + timedelta(days=10 + 20 * each),
        )


def with_discounts(advocate: Advocate, number: int) -> None:
    """That many rewards that are discounts, to use. Needs as many friends."""
    for referral in Referral.objects.filter(advocate=advocate).order_by("pk")[:number]:
        rule = referral.terms.data["rules"][0]["key"]
        reward = Reward.objects.create(
            referral=referral,
            terms=referral.terms,
            rule_key=rule,
            side="advocate",
            occasion=f"registration:{referral.pk}",
            advocate=advocate,
            kind="discount_percent",
            user=advocate.user,
            currency="EUR",
            amount=1,
            posted=1,
            state="given",
            given_at=timezone.now(),
            created_at=timezone.now(),
        )
        DiscountGrant.objects.create(
            reward=reward,
            terms=referral.terms,
            rule_key=rule,
            kind="discount_percent",
            user=advocate.user,
            code=f"THANKS{referral.pk}",
            state="issued",
            created_at=timezone.now(),
            expires_at=timezone.now() + timedelta(days=40),
        )


def asked(advocate: Advocate, number: int = 1, *, friend: Any = None) -> list[AttributionRequest]:
    """Who ordered says that the advocate sent them, and waits for an answer."""
    now = timezone.now()
    return [
        AttributionRequest.objects.create(
            kind="named",
            advocate=advocate,
            basket_reference=f"basket-{advocate.pk}-{each}",
            reference=f"named-{each}",
            friend=friend,
            created_at=now - timedelta(days=each),
        )
        for each in range(number)
    ]


def reported(advocate: Advocate) -> None:
    """Orders that the advocate has told about, in every state."""
    now = timezone.now()
    for each, (state, reason) in enumerate(
        [("waiting", ""), ("confirmed", ""), ("refused", "not_matched"), ("lapsed", "")]
    ):
        AttributionRequest.objects.create(
            kind="reported",
            advocate=advocate,
            reference=f"10004{each}",
            state=state,
            reason=reason,
            created_at=now - timedelta(days=each),
            decided_at=None if state == "waiting" else now,
        )
