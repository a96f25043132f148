"""The doctor on memberships: each sickness is made on purpose, named with its mend, and nothing is charged or left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration.memberships import views
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from tests.checks import urls
from tests.doctor.conftest import catalogue, healthy, small_pictures  # noqa: F401  (pytest finds these by their names)
from tests.doctor.patient import examine
from tests.memberships.renewing import PATH, join, make_renewing_plan, open_bank
from tests.memberships.rows import make_plan, make_user
from tests.memberships.shopping import make_sold_plan
from wagtail_referrals.doctor import Verdict

pytestmark = pytest.mark.django_db

FINE, LOOK = Verdict.FINE, Verdict.LOOK
HERE = "tests.memberships.test_doctor"
PART = ("memberships",)


class Cards:
    def charge(self, request: Any) -> Any:
        raise AssertionError("something was charged")

    def card(self, user: Any) -> None:
        return None


class BrokenCards(Cards):
    def card(self, user: Any) -> None:
        raise KeyError(user.pk)


class WordsForCards(Cards):
    def card(self, user: Any) -> Any:
        return "4242"


class NoCards:
    def __init__(self) -> None:
        raise RuntimeError("no key for the bank")


@pytest.fixture
def cards(settings: Any) -> Any:
    """Name what charges: ``cards("Cards")``."""

    def cards(name: str | None) -> None:
        settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": name and f"{HERE}.{name}"}

    cards("Cards")
    return cards


@pytest.fixture
def monthly(cards: Any) -> Any:
    return make_renewing_plan()


def test_a_shop_with_memberships_is_healthy(healthy: Any, monthly: Any) -> None:  # noqa: F811
    before = get_model("order", "Order").objects.count()
    record = examine()
    assert record.broken == [] and record.of(Verdict.NOT_TRIED) == []
    for words in (
        "The shop says which card a customer keeps. It was not asked to charge one.",
        "“Monthly” would be renewed for €30.00.",
        "A renewal is placed as an order that counts as paid, and the membership runs on.",
        "The member's page “Your memberships” is drawn.",
    ):
        assert record.says(words, FINE)
    assert get_model("order", "Order").objects.count() == before
    assert not Membership.objects.exists() and not Renewal.objects.exists() and not Period.objects.exists()
    assert not get_user_model().objects.filter(email__startswith="referrals-doctor").exists()


def test_without_plans_there_is_nothing_to_examine(db: None) -> None:
    (finding,) = examine(PART).part("memberships")
    assert (finding.verdict, finding.words) == (
        FINE,
        "There is no plan: nothing is sold or given as a membership.",
    )


def test_where_nothing_renews_no_card_is_asked_for(cards: Any) -> None:
    cards("NoCards")
    make_sold_plan()
    assert examine(PART).says("No plan renews by itself: no card is ever charged.", FINE)


def test_a_group_that_opens_the_administration(cards: Any) -> None:
    group = Group.objects.create(name="Members")
    make_sold_plan(group=group)
    words = "“Members”, the group of “Monthly”, opens the administration: members are not put into it."
    assert examine(PART).broken == []
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    assert examine(PART).says(words, Verdict.BROKEN)


# Cards


@pytest.mark.parametrize(
    ("name", "words", "verdict"),
    [
        (None, "Nothing charges cards for renewals", LOOK),
        ("NotThere", "RENEWAL_CARDS leads nowhere", Verdict.BROKEN),
        ("NoCards", "What charges cards for renewals cannot be made", Verdict.BROKEN),
        ("PART", "What charges cards for renewals cannot be made", Verdict.BROKEN),
        ("make_nothing", "What charges cards for renewals has no charge()", Verdict.BROKEN),
        ("BrokenCards", "It cannot be asked which card a customer keeps", Verdict.BROKEN),
        ("WordsForCards", "card(user) answers with a str", Verdict.BROKEN),
    ],
)
def test_what_charges(monthly: Any, cards: Any, name: str | None, words: str, verdict: Verdict) -> None:
    cards(name)
    record = examine(PART)
    assert record.says(words, verdict)
    assert record.about(words).mend
    # The rest is examined all the same.
    assert record.says("“Monthly” would be renewed", FINE)


def make_nothing() -> object:
    return object()


# What is sold


def test_a_plan_without_a_product(monthly: Any) -> None:
    Plan.objects.update(product=None)
    record = examine(PART)
    assert record.says("“Monthly” renews by itself, and has no product that could be ordered.")


def test_a_product_without_a_price(monthly: Any) -> None:
    monthly.product.stockrecords.all().delete()
    record = examine(PART)
    assert record.says("“Monthly” could not be renewed now: The shop has no price for this membership")


def test_a_product_that_has_to_be_sent(monthly: Any) -> None:
    get_model("catalogue", "ProductClass").objects.update(requires_shipping=True)
    assert examine(PART).says("“Monthly” could not be renewed now: This membership has to be sent")


def test_a_strategy_that_wants_a_request(monthly: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from oscar.core.loading import get_class

    selector = get_class("partner.strategy", "Selector")

    def strategy(self: Any, request: Any = None, user: Any = None, **kwargs: Any) -> Any:
        return request.site

    monkeypatch.setattr(selector, "strategy", strategy)
    record = examine(PART)
    assert record.says("What a renewal of “Monthly” costs cannot be worked out: AttributeError in")


def test_a_product_that_is_not_public(monthly: Any) -> None:
    type(monthly.product).objects.update(is_public=False)
    record = examine(PART)
    assert record.broken == []
    assert record.says("The product of “Monthly” is not public", LOOK)


def test_the_second_plan_is_tried_where_the_first_one_cannot_be(cards: Any) -> None:
    first: Any = make_renewing_plan("first")
    make_renewing_plan("second")
    first.product.stockrecords.all().delete()
    record = examine(PART)
    assert len(record.broken) == 1
    assert record.says("A renewal is placed as an order that counts as paid", FINE)


# The order


def test_no_status_means_paid(monthly: Any, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR |= {"PAID_STATUSES": [], "SHIPPED_STATUSES": []}
    record = examine(PART)
    assert record.says("The order of a renewal does not count as paid")


def test_paid_means_cancelled_too(monthly: Any, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR |= {"CANCELLED_STATUSES": ["Paid"]}
    assert examine(PART).says("The order of a renewal is paid, and the membership runs no longer for it.")


def test_the_shop_cannot_place_an_order_without_a_request(
    monthly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar.core.loading import get_class

    creator = get_class("order.utils", "OrderCreator")
    place_order = creator.place_order

    def wants_request(self: Any, *args: Any, request: Any = None, **kwargs: Any) -> Any:
        return place_order(self, *args, **kwargs, note=request.META["HTTP_HOST"])

    monkeypatch.setattr(creator, "place_order", wants_request)
    record = examine(PART)
    assert record.says("A renewal is charged, and its order cannot be placed: AttributeError in")


# What waits


def test_renewals_that_nobody_makes(monthly: Any, cards: Any) -> None:
    membership = join(make_user(), monthly, now=timezone.now())
    values = {"membership": membership, "due_at": timezone.now(), "created_at": timezone.now()}
    Renewal.objects.create(number=1, next_attempt_at=timezone.now() - timedelta(minutes=59), **values)
    assert "due for more than an hour" not in str(examine(PART).findings)
    Renewal.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=61))
    record = examine(PART)
    assert record.says("1 renewal has been due for more than an hour.", LOOK)
    Renewal.objects.update(state="charging", refusal="It is not known yet whether the card was charged.")
    assert examine(PART).says("Of 1 renewal it is not known whether its card was charged", LOOK)


# The page


def test_the_member_page_is_not_included(settings: Any, db: None) -> None:
    settings.ROOT_URLCONF = urls()
    record = examine(("memberships_page",))
    assert record.says("The member's page has no address")


def test_the_member_page_fails(healthy: Any, monthly: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise KeyError("page")

    monkeypatch.setattr(views, "page_context", broken)
    assert examine().says("The member's page fails: KeyError in")


def test_the_cards_of_other_tests_are_asked_for_nothing(settings: Any, monthly: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": PATH}
    bank = open_bank()
    make_plan("gift", gift_only=True)
    assert examine(PART).broken == []
    assert bank.asked == []
