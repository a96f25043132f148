from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model

from tests.plainshop.models import Basket
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs import parse, publish_terms
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_user(db):
    def make(name: str, **values):
        return get_user_model().objects.create_user(
            username=name, email=f"{name}@example.com", first_name=name.title(), **values
        )

    return make


@pytest.fixture
def make_program(db):
    """A published program with rules given as dicts; by default "give 10 %, get 15 €"."""

    def make(rules=None, **values):
        program = Program(name="Give 10, get 15", live=True, **({"hold_days": 14} | values))
        program.texts = [ProgramText(language="en", headline="Welcome")]
        program.rules = [
            ProgramRule(sort_order=index, **rule)
            for index, rule in enumerate(
                rules
                or [
                    {
                        "side": "friend",
                        "trigger": "arrives",
                        "kind": "discount_percent",
                        "percent": Decimal(10),
                    },
                    {
                        "side": "advocate",
                        "trigger": "first_purchase",
                        "kind": "credit",
                        "amounts": {"EUR": "15.00"},
                    },
                ]
            )
        ]
        program.save()
        terms = publish_terms(program, now=NOW)
        return program, terms, parse(terms)

    return make


@pytest.fixture
def camille(make_user):
    return make_user("camille")


@pytest.fixture
def advocate(camille):
    return advocate_for(camille)


@pytest.fixture
def basket(db):
    def make(user=None) -> Basket:
        return Basket.objects.create(user=user)

    return make
