"""A product as the place to which the button of a landing page leads, and products that the shop no longer shows."""

from __future__ import annotations

import pytest
from oscar.test.factories import create_product

from oscar_integration.actions import PRODUCT
from wagtail_referrals.site.actions import action_targets

pytestmark = pytest.mark.django_db


def test_the_product_is_kept_by_its_number():
    target = action_targets.get("product")
    product = create_product(title="Mat")
    options = target.freeze_options({PRODUCT: product})
    assert options == {PRODUCT: product.pk} and target.initial_options(options) == options
    assert target.option_problems(options) == {}
    assert PRODUCT in target.option_problems(target.freeze_options({PRODUCT: None}))


@pytest.mark.parametrize("what", ["shown", "hidden", "deleted"])
def test_it_leads_to_a_product_that_the_shop_shows(what, rf):
    product = create_product(title="Mat")
    options = {PRODUCT: product.pk}
    if what == "hidden":
        product.is_public = False
        product.save()
    elif what == "deleted":
        product.delete()
    expected = product.get_absolute_url() if what == "shown" else ""
    assert action_targets.get("product").url(rf.get("/"), options) == expected
