"""A customer who refers, a published program, and the browser of somebody who follows the link."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from wagtail_referrals import people, programs
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText

PASSWORD = "a-long-password-7"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def publish(friend: dict[str, Any] | None = None, **values: Any) -> Any:
    """A live "give 10 %, get 15 €" and its terms; ``friend``: another present for the one who arrives."""
    program = Program(name="Give 10, get 15", live=True, **({"hold_days": 14} | values))
    program.texts = [
        ProgramText(language="en", headline="A present", small_print="Not for cash."),
        ProgramText(language="fr", headline="Un cadeau", small_print="Sans échange en espèces."),
    ]
    program.rules = [
        ProgramRule(
            sort_order=0,
            side="friend",
            trigger="arrives",
            **(friend or {"kind": "discount_percent", "percent": Decimal(10)}),
        ),
        ProgramRule(
            sort_order=1, side="advocate", trigger="first_purchase", kind="credit", amounts={"EUR": "15.00"}
        ),
    ]
    program.save()
    terms = programs.publish_terms(program)
    cache.clear()
    return terms


@pytest.fixture
def alone(settings: Any) -> None:
    """Without the shop's layout: its header and footer read what they like."""
    base = "wagtail_referrals/default_base.html"
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "BASE_TEMPLATE": base}


@pytest.fixture
def terms(db: None) -> Any:
    return publish()


@pytest.fixture
def make_user(db: None) -> Any:
    def make(name: str, **values: Any) -> Any:
        return get_user_model().objects.create_user(
            username=name, email=f"{name}@example.com", password=PASSWORD, first_name=name.title(), **values
        )

    return make


@pytest.fixture
def camille(make_user: Any) -> Any:
    return make_user("camille")


@pytest.fixture
def advocate(camille: Any) -> Any:
    advocate = people.advocate_for(camille)
    advocate.name_confirmed_at = timezone.now()
    advocate.save()
    return advocate


@pytest.fixture
def link(advocate: Any) -> str:
    return people.share_path(people.code_of(advocate))


@pytest.fixture
def browser_client() -> Client:
    return Client(headers={"user-agent": BROWSER, "accept-language": "en"})
