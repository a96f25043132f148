from __future__ import annotations

from typing import Any

import pytest
from oscar.core.compat import get_user_model
from oscar.core.loading import get_model
from oscar.test import factories

from tests.oscar_integration.shopping import PASSWORD, Friend, make_product, make_program
from wagtail_referrals.people import advocate_for


@pytest.fixture
def france(db: None) -> Any:
    return factories.CountryFactory(
        iso_3166_1_a2="FR", iso_3166_1_a3="FRA", printable_name="France", is_shipping_country=True
    )


@pytest.fixture
def mat(db: None) -> Any:
    """100.00 with tax: its delivery is free."""
    return make_product("MAT", "100.00")


@pytest.fixture
def strap(db: None) -> Any:
    return make_product("STRAP", "20.00")


@pytest.fixture
def make_customer(db: None) -> Any:
    def make(email: str, **values: Any) -> Any:
        return get_user_model().objects.create_user(
            username=email.replace("@", "-"), email=email, password=PASSWORD, **values
        )

    return make


@pytest.fixture
def camille(make_customer: Any) -> Any:
    return make_customer("camille@example.com", first_name="Camille")


@pytest.fixture
def advocate(camille: Any) -> Any:
    return advocate_for(camille)


@pytest.fixture
def terms(db: None) -> Any:
    return make_program()


@pytest.fixture
def friend(db: None, france: Any) -> Friend:
    return Friend()


@pytest.fixture
def orders(db: None) -> Any:
    return get_model("order", "Order").objects
