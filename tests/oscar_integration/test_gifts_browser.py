"""A reward in a real browser: from the account into the basket, changed there by Oscar's own script, and out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser_fixtures import PHONE
from tests.oscar_integration.shopping import PASSWORD, make_product
from tests.oscar_integration.test_rewards_to_use import earn_by_registration, gift

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def in_the_account(
    transactional_db: None,
    live_server: Any,
    france: Any,
    camille: Any,
    advocate: Any,
    mat: Any,
    new_page: Callable[..., Any],
) -> Callable[..., Any]:
    """Camille's account page, where a free bolster for other goods of 30.00 or more waits."""

    def walk(language: str = "en", **options: Any) -> Any:
        bolster = make_product("BOLSTER", "12.00")
        make_product("STRAP", "20.00")
        earn_by_registration(advocate, gift(bolster, minimum_spend={"EUR": "30.00"}, expires_days=60))
        page = new_page(**options)
        page.goto(f"/{language}/accounts/login/")
        page.fill("#id_login-username", camille.email)
        page.fill("#id_login-password", PASSWORD)
        page.click("button[name=login_submit]")
        page.goto(f"/{language}/account/refer-a-friend/rewards/")
        return page

    return walk


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_from_the_account_into_the_basket_and_out_again(
    in_the_account: Callable[..., Any], browser_problems: Any, options: dict[str, Any]
) -> None:
    page = in_the_account(**options)
    page.get_by_role("button", name="Put it into the basket").click()
    page.get_by_text("comes with other goods for €30.00 or more").wait_for()
    page.goto("/en/catalogue/")
    page.locator("article", has_text="Mat").locator("button[type=submit]").first.click()
    page.goto("/en/basket/")
    assert "Bolster" in page.locator("#basket_formset").inner_text()
    assert "Your reward: a free “Bolster”" in page.locator("#basket_totals").inner_text()
    assert "€100.00" in page.locator("#basket_totals").inner_text()
    # Oscar's script sends the form and draws the basket anew.
    line = page.locator(".basket-items", has_text="Bolster")
    line.locator("a[data-behaviours~=remove]").click()
    page.get_by_text("You have taken the free “Bolster” out").wait_for()
    assert page.locator("#basket_formset").get_by_text("Bolster").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    browser_problems.assert_none()
