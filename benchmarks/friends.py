"""Friends for the benchmarks: a published program, claims, and credit that is set aside for the order."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from benchmarks.worker import filled_basket
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import advocate_for, code_of
from wagtail_referrals.programs import publish_terms
from wagtail_referrals.programs.models import Program, ProgramRule

_code = ""


def publish() -> str:
    """Publish "give 10 %, get 15 €"; the code of an advocate."""
    global _code
    program = Program(name="Benchmark", live=True)
    program.rules = [
        ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=Decimal(10)),
        ProgramRule(side="advocate", trigger="first_purchase", kind="credit", amounts={"EUR": "15.00"}),
    ]
    program.save()
    publish_terms(program)
    user = get_user_model().objects.create_user("advocate", "advocate@example.com", "x", first_name="Camille")
    _code = code_of(advocate_for(user))
    return _code


def basket(products: list[Any], number: int) -> tuple[Any, Any, str]:
    """A friend's basket with the discount in it, and 5 € of credit set aside for its order."""
    friend = get_user_model().objects.create_user(f"friend{number}", f"friend{number}@example.com", "x")
    made = filled_basket(products, friend)
    claim = rewards.commit(code=_code, basket_reference=str(made.pk), user=friend)
    assert claim is not None
    reference = f"F{number}"
    credit.grant(user=friend, currency="EUR", amount=Decimal(5), key=f"bench:{number}")
    credit.reserve(
        user=friend,
        currency="EUR",
        amount=Decimal(5),
        order_number=reference,
        expires_at=timezone.now() + timedelta(hours=1),
    )
    return made, friend, reference
