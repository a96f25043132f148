"""Rewards that are discounts: from the account page into the basket, into an order, and what becomes of them then."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_integration import OscarShop, vouchers
from oscar_integration.gifts import FreeProductKind
from tests.books import assert_audit_clean
from tests.oscar_integration.paying import Customer
from tests.oscar_integration.shopping import Friend, create_order, fill_basket, make_product, make_program
from tests.oscar_integration.test_gifts import contents
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
from wagtail_referrals.referrals.timeline import event_words
from wagtail_referrals.rewards.discounts import withdraw
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.rewards.settle import settle

pytestmark = pytest.mark.django_db

D = Decimal
Voucher = get_model("voucher", "Voucher")
ACCOUNT = "account/refer-a-friend/"


@pytest.fixture
def bolster(db: None) -> Any:
    return make_product("BOLSTER", "12.00")


def gift(product: Any, **values: Any) -> dict[str, Any]:
    options = FreeProductKind().freeze_options({"gift_product": product})
    return {"kind": "free_product", "options": options} | values


PERCENT: dict[str, Any] = {"kind": "discount_percent", "percent": D(20)}


def earn(advocate: Any, product: Any, rule: dict[str, Any], **program: Any) -> Reward:
    """A friend's order that was paid brings the advocate what the rule gives."""
    terms = make_program(
        [{"side": "advocate", "trigger": "first_purchase"} | rule], **({"hold_days": 0} | program)
    )
    order = create_order(claimed(advocate, terms, product), email="lea@example.com")
    order.set_status("Paid")
    order.set_status("Shipped")
    settle(Purchase.objects.get(reference=order.number).referral_id)
    return Reward.objects.get()


def earn_by_registration(advocate: Any, rule: dict[str, Any]) -> Reward:
    """A friend's account brings the advocate what the rule gives: its minimum is that of using it."""
    terms = make_program([{"side": "advocate", "trigger": "registers"} | rule], hold_days=0)
    friend = Friend()
    friend.click(advocate, terms)
    friend.register("lea@example.com")
    settle(Referral.objects.get().pk)
    return Reward.objects.get()


@pytest.fixture
def customer(camille: Any, france: Any) -> Customer:
    return Customer(camille)


def page_of(friend: Friend, name: str = "rewards") -> str:
    return html.unescape(friend.client.get(friend.url(f"{ACCOUNT}{name}/")).content.decode())


def use(friend: Friend) -> Any:
    token = DiscountGrant.objects.latest("pk").token
    return friend.client.post(friend.url(f"{ACCOUNT}use/{token}/"))


def friends_order() -> Any:
    return get_model("order", "Order").objects.get(number=Purchase.objects.get().reference)


# From the account into the basket


def test_the_account_shows_what_can_be_used_with_its_code(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    assert "Your rewards to use" not in page_of(customer)
    reward = earn_by_registration(advocate, gift(bolster, minimum_spend={"EUR": "30.00"}, expires_days=60))
    listed = page_of(customer).partition("Your rewards to use")[2].partition("</section>")[0]
    assert "A free “Bolster”" in listed
    assert "from €30.00" in listed
    assert "until" in listed
    assert reward.discount.code in listed


def test_the_minimum_of_the_friends_order_is_none_for_using_the_reward(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    earn(advocate, mat, gift(bolster, minimum_spend={"EUR": "30.00"}))
    listed = page_of(customer).partition("Your rewards to use")[2].partition("</section>")[0]
    assert "from €30.00" not in listed
    use(customer)
    assert contents(customer) == {"BOLSTER": (1, D("0.00"))}


def test_the_button_puts_a_gift_into_an_empty_basket(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    earn(advocate, mat, gift(bolster))
    assert use(customer).url == "/en/basket/"
    assert "Your reward is in the basket: a free “Bolster”. The total is €0.00." in customer.messages()
    assert contents(customer) == {"BOLSTER": (1, D("0.00"))}
    use(customer)
    assert "It is in your basket already." in customer.messages()
    assert contents(customer) == {"BOLSTER": (1, D("0.00"))}
    customer.deliver()
    order = customer.buy()
    assert order.basket_total_incl_tax == D("0.00")
    assert DiscountGrant.objects.get().used_reference == order.number
    assert "Your rewards to use" not in page_of(customer)


@pytest.mark.parametrize(
    ("rule", "said", "total"),
    [
        (PERCENT, "Your discount is in the basket. The new total is €80.00.", "80.00"),
        (
            {"kind": "discount_fixed", "amounts": {"EUR": "5.00"}},
            "Your discount is in the basket. The new total is €95.00.",
            "95.00",
        ),
        ({"kind": "free_shipping"}, "It is in the basket: delivery is free.", "100.00"),
    ],
)
def test_the_button_puts_a_discount_into_the_basket(
    customer: Customer, advocate: Any, mat: Any, rule: dict[str, Any], said: str, total: str
) -> None:
    earn(advocate, mat, rule)
    customer.add("MAT")
    customer.messages()
    use(customer)
    assert said in customer.messages()
    assert customer.basket().total_incl_tax == D(total)


def test_a_discount_waits_in_an_empty_basket(customer: Customer, advocate: Any, mat: Any) -> None:
    earn(advocate, mat, PERCENT)
    use(customer)
    assert customer.messages() == ["Your discount is in the basket, and counts for what you add."]
    customer.add("MAT")
    assert customer.basket().total_incl_tax == D("80.00")


def test_below_its_minimum_a_discount_waits(customer: Customer, advocate: Any, mat: Any, strap: Any) -> None:
    earn_by_registration(advocate, PERCENT | {"minimum_spend": {"EUR": "50.00"}})
    customer.add("STRAP")
    customer.messages()
    use(customer)
    assert any("counts from a basket of €50.00 on" in text for text in customer.messages())
    customer.add("MAT")
    assert customer.basket().total_incl_tax == D("96.00")


@pytest.mark.parametrize("kind", ["gift", "percent"])
def test_typing_the_code_does_the_same(
    customer: Customer, advocate: Any, mat: Any, bolster: Any, kind: str
) -> None:
    code = earn(advocate, mat, gift(bolster) if kind == "gift" else PERCENT).discount.code
    customer.add("MAT")
    customer.type_code(code.lower())
    if kind == "gift":
        assert contents(customer) == {"MAT": (1, D("100.00")), "BOLSTER": (1, D("0.00"))}
    else:
        assert customer.basket().total_incl_tax == D("80.00")


def test_taken_out_it_can_be_used_again(customer: Customer, advocate: Any, mat: Any, bolster: Any) -> None:
    code = earn(advocate, mat, gift(bolster)).discount.code
    customer.add("MAT")
    use(customer)
    customer.messages()
    customer.client.post(customer.url(f"basket/vouchers/{Voucher.objects.get().pk}/remove/"))
    said = " ".join(customer.messages())
    assert (
        f"“Bolster” was taken out too. Your reward is not lost: use it from your account, or type the code {code}"
        in said
    )
    assert contents(customer) == {"MAT": (1, D("100.00"))}
    use(customer)
    assert contents(customer)["BOLSTER"] == (1, D("0.00"))


def test_nobody_else_can_use_it(
    customer: Customer, advocate: Any, mat: Any, bolster: Any, make_customer: Any
) -> None:
    code = earn(advocate, mat, gift(bolster)).discount.code
    visitor = Friend()
    visitor.add("MAT")
    visitor.type_code(code)
    assert any("belongs to an account: please sign in" in text for text in visitor.messages())
    stranger = Customer(make_customer("zoe@example.com"))
    stranger.add("MAT")
    stranger.type_code(code)
    assert contents(stranger) == {"MAT": (1, D("100.00"))}
    assert use(stranger).status_code == 404
    assert use(Friend()).url.startswith("/en/accounts/login/")
    get = customer.client.get(customer.url(f"{ACCOUNT}use/{DiscountGrant.objects.get().token}/"))
    assert get.status_code == 405


def test_what_was_withdrawn_says_why(customer: Customer, advocate: Any, mat: Any) -> None:
    earn(advocate, mat, PERCENT)
    withdraw(DiscountGrant.objects.select_related("claim", "reward__referral"), "cancelled", now=None)  # type: ignore[arg-type]
    response = use(customer)
    assert response.url == "/en/account/refer-a-friend/rewards/"
    assert "This reward cannot be used: the order was cancelled." in page_of(customer)


def test_a_shop_without_such_a_basket_says_the_code(
    customer: Customer, advocate: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = earn(advocate, mat, PERCENT).discount.code
    monkeypatch.setattr(OscarShop, "use_discount", lambda self, request, code: "")
    use(customer)
    assert f"Type the code {code} in your basket." in page_of(customer)


def test_the_account_costs_one_query_more_for_any_number(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    from django.db import connection

    reward = earn(advocate, mat, gift(bolster))
    page_of(customer)
    with CaptureQueriesContext(connection) as one:
        page_of(customer)
    for number in range(30):
        clone = Reward.objects.get(pk=reward.pk)
        clone.pk, clone.occasion = None, f"purchase:{1000 + number}"
        clone.save()
        DiscountGrant.objects.create(
            reward=clone, terms=clone.terms, rule_key=clone.rule_key, kind=clone.kind, user=clone.user,
            state="issued", code=f"REF-{number}", created_at=clone.created_at,
        )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        assert "REF-29" in page_of(customer)
    assert len(many) == len(one)


def test_milestones_give_a_product(customer: Customer, advocate: Any, mat: Any, bolster: Any) -> None:
    terms = make_program(
        [{"side": "advocate", "trigger": "nth_referral", "occurrence": 2} | gift(bolster)], hold_days=0
    )
    for number in range(2):
        order = create_order(claimed(advocate, terms, mat), email=f"friend{number}@example.com")
        order.set_status("Paid")
        order.set_status("Shipped")
        settle(Purchase.objects.get(reference=order.number).referral_id)
        assert ("A free “Bolster”" in page_of(customer)) == (number == 1)


def test_a_friend_gets_a_product_for_an_account(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    terms = make_program([{"side": "friend", "trigger": "registers"} | gift(bolster)], hold_days=0)
    friend.click(advocate, terms)
    friend.register("lea@example.com")
    settle(Referral.objects.get().pk)
    assert "A free “Bolster”" in page_of(friend)
    friend.add("MAT")
    use(friend)
    assert contents(friend) == {"MAT": (1, D("100.00")), "BOLSTER": (1, D("0.00"))}


# In an order


def test_what_was_used_is_not_taken_back_and_nobody_is_told_that_it_was(
    customer: Customer, advocate: Any, mat: Any, bolster: Any, django_capture_on_commit_callbacks: Any
) -> None:
    reward = earn(advocate, mat, gift(bolster))
    use(customer)
    order = customer.buy()
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        friends_order().set_status("Refunded")
        verdict = settle(reward.referral_id)
    reward.refresh_from_db()
    assert (reward.state, reward.reason, reward.posted) == ("given", "used_up", D(1))
    assert verdict is not None and verdict.state == "rewarded"
    kinds = list(TimelineEvent.objects.filter(referral=reward.referral).values_list("kind", flat=True))
    assert kinds.count("reward_kept") == 1 and "reward_taken_back" not in kinds
    words = event_words(TimelineEvent.objects.get(kind="reward_kept"))
    assert words == (
        "The reward of the referrer stays, as it was used already: a free “Bolster”. Otherwise it would have been "
        "taken back: the order was refunded."
    )
    assert not mail.outbox
    assert "given" in page_of(customer, "friends")
    settle(reward.referral_id)
    assert TimelineEvent.objects.filter(kind="reward_kept").count() == 1
    assert DiscountGrant.objects.get().used_reference == order.number
    assert_audit_clean()


def test_used_while_it_was_taken_back_is_told_as_it_was(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    """The customer is at the bank with it, so the order has it."""
    reward = earn(advocate, mat, gift(bolster))
    use(customer)
    customer.add("MAT")
    basket = customer.basket()
    basket.freeze()
    friends_order().set_status("Refunded")
    settle(reward.referral_id)
    assert Reward.objects.get().state == "taken_back"
    basket.strategy = fill_basket().strategy
    create_order(basket, user=customer.user)
    referral = Referral.objects.get()
    assert referral.next_check_at is not None
    rewards.sweep()
    reward.refresh_from_db()
    assert (reward.state, reward.reason, reward.posted) == ("given", "used_up", D(1))
    assert_audit_clean()


def test_what_was_not_used_is_taken_back_and_its_voucher_is_gone(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    reward = earn(advocate, mat, gift(bolster))
    customer.add("MAT")
    use(customer)
    friends_order().set_status("Refunded")
    settle(reward.referral_id)
    reward.refresh_from_db()
    assert (reward.state, reward.posted) == ("taken_back", 0)
    assert any("“Bolster” has left the basket. The total is €100.00" in text for text in customer.messages())
    assert contents(customer) == {"MAT": (1, D("100.00"))}, "not charged by surprise"


def test_it_counts_in_the_budget_once_it_is_used(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    reward = earn(advocate, mat, gift(bolster), budget_amounts={"EUR": "100.00"})
    assert Referral.objects.get().spent == {}
    use(customer)
    customer.buy()
    rewards.sweep()
    assert Referral.objects.get(pk=reward.referral_id).spent == {"EUR": "12.00"}
    assert_audit_clean()


def test_after_an_order_that_never_happened_it_can_be_used_again_once(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    reward = earn(advocate, mat, gift(bolster))
    first_code = reward.discount.code
    use(customer)
    order = customer.buy()
    order.set_status("Cancelled")
    rewards.sweep()
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.issue) == ("issued", 1)
    assert grant.code != first_code
    words = event_words(TimelineEvent.objects.get(kind="reward_again"))
    assert words == (
        f"Order {order.number}, which used the reward of the referrer, was cancelled before delivery: it can be used "
        "again."
    )
    assert grant.code in page_of(customer)
    use(customer)
    assert contents(customer) == {"BOLSTER": (1, D("0.00"))}
    again = customer.buy()
    again.set_status("Cancelled")
    rewards.sweep()
    assert (DiscountGrant.objects.get().state, DiscountGrant.objects.get().used_reference) == (
        "used",
        again.number,
    )
    assert_audit_clean()


def test_an_order_that_comes_back_has_it_again(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    reward = earn(advocate, mat, gift(bolster), budget_amounts={"EUR": "100.00"})
    use(customer)
    order = customer.buy()
    order.set_status("Cancelled")
    rewards.sweep()
    code = DiscountGrant.objects.get().code
    type(order).objects.filter(pk=order.pk).update(status="Paid")
    order.lines.update(status="Paid")
    rewards.check_soon(order.number)
    rewards.sweep()
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.issue, grant.used_reference) == ("used", 0, order.number)
    customer.add("MAT")
    customer.type_code(code)
    assert contents(customer) == {"MAT": (1, D("100.00"))}
    assert Referral.objects.get(pk=reward.referral_id).spent == {"EUR": "12.00"}


def test_a_refund_of_the_order_with_the_gift_changes_nothing_of_it(
    customer: Customer, advocate: Any, mat: Any, bolster: Any
) -> None:
    reward = earn(advocate, mat, gift(bolster))
    customer.add("MAT")
    use(customer)
    order = customer.buy()
    order.set_status("Paid")
    order.set_status("Shipped")
    order.set_status("Refunded")
    rewards.sweep()
    reward.refresh_from_db()
    assert (reward.state, DiscountGrant.objects.get().state) == ("given", "used")
    assert vouchers.is_ours(DiscountGrant.objects.get().code)
