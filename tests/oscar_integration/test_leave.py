"""``manage.py referrals_leave``: what it says, what it takes away, what it leaves, and that it may be repeated."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_class, get_model
from wagtail.models import Page, Site

from example_site.card.gateway import ASKS_THE_BANK
from oscar_integration import OscarShop, vouchers
from oscar_integration import leaving as oscar_leaving
from tests.oscar_integration.paying import Customer, available, give, states
from tests.oscar_integration.shopping import (
    Friend,
    create_order,
    fill_basket,
    make_product,
    make_program,
    shop_voucher,
)
from tests.oscar_integration.test_rewards_to_use import PERCENT, earn, gift
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, people
from wagtail_referrals.leaving import owed
from wagtail_referrals.programs import open_terms
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards import sweep
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.site.models import HubPage

pytestmark = pytest.mark.django_db

Voucher = get_model("voucher", "Voucher")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Basket = get_model("basket", "Basket")

Leave = Callable[..., tuple[int, str]]


@pytest.fixture
def off(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}


@pytest.fixture
def leave() -> Leave:
    def run(*args: str) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("referrals_leave", *args, stdout=out)
        except SystemExit as stop:
            return int(stop.code or 0), out.getvalue()
        return 0, out.getvalue()

    return run


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def in_the_database() -> list[Any]:
    """All that leaving could change, to see that a look changes nothing."""
    return [
        sorted(model._default_manager.values_list("pk", flat=True))
        for model in (Voucher, ConditionalOffer, Page, Program, get_model("basket", "Line"))
    ] + [Program.objects.filter(live=True).count(), states()]


# What it says


def test_with_a_stage_on_it_refuses_and_says_why(leave: Leave, terms: Any) -> None:
    before = in_the_database()
    for arguments in ((), ("--yes",)):
        code, said = leave(*arguments)
        assert code == 1
        assert "Set VOUCHERS and CREDIT_AT_CHECKOUT to False in WAGTAIL_REFERRALS_OSCAR first" in said
    assert in_the_database() == before


def test_a_look_says_what_would_happen_and_changes_nothing(
    leave: Leave, settings: Any, friend: Friend, advocate: Any, terms: Any, mat: Any, hub: HubPage
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    give(advocate.user, "15")
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
    before = in_the_database()
    code, said = leave()
    assert code == 0
    for words in (
        "€15.00 on 1 account.",
        "These programs are closed: Give 10, get 15.",
        "The page “Refer a friend”",
        "Our vouchers leave 1 basket",
        "1 voucher that no order has used is deleted.",
        "1 offer that needs our code is suspended",
        "Nothing has been changed. Say --yes to do it.",
    ):
        assert words in said
    assert in_the_database() == before


# What customers are owed


def test_what_is_owed_is_asked_for_and_written(
    leave: Leave, settings: Any, camille: Any, advocate: Any, mat: Any, tmp_path: Path, make_customer: Any
) -> None:
    reward = earn(advocate, mat, PERCENT | {"expires_days": 30})
    give(camille, "15")
    give(camille, "7.50")
    make_customer("nobody@example.com")
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
    with pytest.raises(CommandError, match="name a file for it with --owed"):
        leave("--yes")
    path = tmp_path / "owed.csv"
    assert leave("--yes", "--owed", str(path))[0] == 0
    assert path.stat().st_mode & 0o777 == 0o600
    credit, discount = lines(path)
    assert (credit["kind"], credit["customer"], credit["currency"], credit["amount"]) == (
        "credit",
        str(camille.pk),
        "EUR",
        "22.50",
    )
    assert (discount["kind"], discount["words"], discount["code"]) == (
        "discount",
        "20% off one order",
        reward.discount.code,
    )
    assert "email" not in credit and "camille@example.com" not in path.read_text()


def test_a_friends_discount_that_waited_until_its_invitation_was_over_is_not_owed(
    settings: Any, make_customer: Any, advocate: Any, mat: Any
) -> None:
    """The friend ordered while the shop gave no discounts: nobody withdraws it any more."""
    lea = make_customer("lea@example.com")
    terms = make_program()
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}
    create_order(claimed(advocate, terms, mat, user=lea), user=lea)
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.user) == ("offered", lea)
    assert [line.kind for line in owed()] == ["discount"]
    DiscountGrant.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert list(owed()) == []


def test_addresses_are_in_it_only_when_asked_for(
    leave: Leave, off: None, camille: Any, tmp_path: Path
) -> None:
    give(camille, "15")
    path = tmp_path / "owed.csv"
    leave("--yes", "--owed", str(path), "--with-email")
    assert [line["email"] for line in lines(path)] == ["camille@example.com"]


def test_a_reward_that_waits_is_promised(advocate: Any, mat: Any) -> None:
    terms = make_program(hold_days=30)
    order = create_order(claimed(advocate, terms, mat), email="lea@example.com")
    order.set_status("Paid")
    order.set_status("Shipped")
    sweep()
    (line,) = owed()
    assert (line.kind, line.amount, line.currency) == ("promised", "15.00", "EUR")
    assert line.customer == str(advocate.user_id)


def test_another_file_is_never_written_over(leave: Leave, off: None, camille: Any, tmp_path: Path) -> None:
    give(camille, "15")
    path = tmp_path / "owed.csv"
    path.write_text("mine")
    with pytest.raises(CommandError, match="says something else"):
        leave("--yes", "--owed", str(path))
    assert path.read_text() == "mine"


def test_what_a_spreadsheet_would_run_is_text(
    leave: Leave, off: None, make_customer: Any, tmp_path: Path
) -> None:
    user = make_customer("plain@example.com")
    type(user).objects.filter(pk=user.pk).update(email="=cmd@example.com")
    give(user, "1")
    leave("--yes", "--owed", str(tmp_path / "owed.csv"), "--with-email")
    assert lines(tmp_path / "owed.csv")[0]["email"] == "'=cmd@example.com"


# Vouchers, baskets and offers


def gone(leave: Leave, settings: Any, *arguments: str) -> str:
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
    code, said = leave("--yes", *arguments)
    assert code == 0, said
    return said


def test_nothing_in_oscars_tables_needs_our_code_any_more(
    leave: Leave, settings: Any, friend: Friend, advocate: Any, terms: Any, mat: Any, tmp_path: Path
) -> None:
    """An order that used one of ours, an open basket with another one, and the shop's own voucher, which stays."""
    shop_voucher("SPRING", "5")
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("jo@example.com")
    order = friend.buy()
    other = Friend()
    other.click(advocate, terms)
    other.add("MAT")
    assert str(other.basket().total_incl_tax) == "90.00"
    gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    for name in ("Condition", "Benefit"):
        model = get_model("offer", name)
        assert not model.objects.filter(proxy_class__startswith="oscar_integration").exists()
    assert str(other.basket().total_incl_tax) == "100.00"
    codes = set(Voucher.objects.values_list("code", flat=True))
    used = order.discounts.get()
    assert codes == {"SPRING", used.voucher_code}
    # What the order used reads as before, and leads to what it was.
    assert used.voucher.code == used.voucher_code
    offer = ConditionalOffer.objects.get(pk=used.offer_id)
    assert offer.is_suspended
    assert (offer.benefit.type, offer.benefit.value) == ("Percentage", Decimal(10))
    assert str(offer.benefit) and str(offer.condition) and offer.condition.description
    assert not used.voucher.is_active()


def test_the_suspended_offer_gives_nothing_even_if_somebody_opens_it_again(
    leave: Leave, settings: Any, friend: Friend, advocate: Any, mat: Any, strap: Any, tmp_path: Path
) -> None:
    kinds: list[dict[str, Any]] = [
        PERCENT,
        {"kind": "discount_fixed", "amounts": {"EUR": "5.00"}},
        {"kind": "free_shipping"},
        gift(strap),
    ]
    terms = make_program([{"side": "friend", "trigger": "arrives"} | kind for kind in kinds])
    friend.click(advocate, terms)
    friend.add("MAT")
    gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    assert ConditionalOffer.objects.count() == 4
    ConditionalOffer.objects.update(status=ConditionalOffer.OPEN, offer_type=ConditionalOffer.SITE)
    basket = fill_basket(mat)
    get_class("offer.applicator", "Applicator")().apply(basket)
    assert not basket.offer_applications
    for offer in ConditionalOffer.objects.all():
        assert str(offer.benefit) and str(offer.condition) and offer.benefit.description


def test_a_free_piece_leaves_the_basket_with_its_voucher(
    leave: Leave, settings: Any, advocate: Any, mat: Any, tmp_path: Path
) -> None:
    """Nobody is charged by surprise for what was put in for nothing."""
    bolster = make_product("BOLSTER", "12.00")
    terms = make_program([{"side": "friend", "trigger": "arrives"} | gift(bolster)])
    friend = Friend()
    friend.click(advocate, terms)
    friend.add("MAT")
    assert sorted(line.product.upc for line in friend.basket().all_lines()) == ["BOLSTER", "MAT"]
    gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    # Asked of the table: the page would still look after it, for a browser that remembers.
    assert list(get_model("basket", "Line").objects.values_list("product__upc", flat=True)) == ["MAT"]
    basket = friend.basket()
    assert str(basket.total_incl_tax) == "100.00"


def test_one_free_piece_leaves_the_basket_where_the_gift_has_an_offer_for_each_currency(
    leave: Leave, settings: Any, advocate: Any, mat: Any, tmp_path: Path
) -> None:
    bolster = make_product("BOLSTER", "12.00")
    minimum = {"EUR": "20.00", "USD": "25.00"}
    terms = make_program([{"side": "friend", "trigger": "arrives", "minimum_spend": minimum} | gift(bolster)])
    friend = Friend()
    friend.click(advocate, terms)
    friend.add("MAT")
    for _piece in range(2):
        friend.add("BOLSTER")
    pieces = get_model("basket", "Line").objects.filter(product=bolster)
    assert [line.quantity for line in pieces] == [2]
    gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    assert [line.quantity for line in pieces.all()] == [1], "the customer's own piece"


def test_a_basket_at_the_bank_is_waited_for(
    leave: Leave, settings: Any, friend: Friend, advocate: Any, terms: Any, mat: Any, tmp_path: Path
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("jo@example.com")
    friend.deliver()
    bank = friend.place(ASKS_THE_BANK)
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
    code, said = leave("--yes")
    assert code == 1 and "1 basket with a voucher of ours is being paid for" in said
    friend.client.post(bank.url, {"answer": "confirm"}, follow=True)
    assert str(get_model("order", "Order").objects.get().total_incl_tax) == "90.00"
    assert leave("--yes", "--owed", str(tmp_path / "owed.csv"))[0] == 0


def test_a_basket_that_was_left_at_the_bank_is_given_up_on_a_word(
    leave: Leave, settings: Any, friend: Friend, advocate: Any, terms: Any, mat: Any, tmp_path: Path
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("jo@example.com")
    friend.deliver()
    friend.place(ASKS_THE_BANK)
    gone(leave, settings, "--payments-over", "--owed", str(tmp_path / "owed.csv"))
    assert not Voucher.objects.exists()
    assert Basket.objects.get().status == Basket.FROZEN


# Credit, programs, pages


def test_credit_set_aside_is_waited_for_or_freed(
    leave: Leave, settings: Any, make_customer: Any, france: Any, mat: Any, tmp_path: Path
) -> None:
    lea = make_customer("lea@example.com")
    give(lea, "15")
    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("15")
    customer.place(ASKS_THE_BANK)
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
    code, said = leave()
    assert code == 1 and "1 payment with credit may be under way, until" in said
    gone(leave, settings, "--payments-over", "--owed", str(tmp_path / "owed.csv"))
    assert states() == ["released"] and available(lea) == "15.00"
    assert [line["amount"] for line in lines(tmp_path / "owed.csv")] == ["15.00"]


def test_what_is_still_to_recover_is_taken_off_what_is_owed(
    leave: Leave, settings: Any, make_customer: Any, france: Any, mat: Any, tmp_path: Path
) -> None:
    """Credit that was set aside pays a shortfall when it is free again: the file says what is left of it."""
    lea = make_customer("lea@example.com")
    credit.grant(user=lea, currency="EUR", amount=Decimal(15), key="earned", source="reward:1")
    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("15")
    customer.place(ASKS_THE_BANK)
    credit.claw_back(user=lea, currency="EUR", amount=Decimal(5), key="back", source="reward:1")
    path = tmp_path / "owed.csv"
    gone(leave, settings, "--payments-over", "--owed", str(path))
    assert available(lea) == "10.00"
    assert [line["amount"] for line in lines(path)] == ["10.00"]
    # Again: nothing has changed since.
    assert leave("--yes", "--payments-over", "--owed", str(path))[0] == 0


def test_programs_close_and_what_is_due_is_settled_a_last_time(
    leave: Leave, settings: Any, advocate: Any, mat: Any, tmp_path: Path
) -> None:
    terms = make_program(hold_days=0)
    order = create_order(claimed(advocate, terms, mat), email="lea@example.com")
    order.set_status("Paid")
    order.set_status("Shipped")
    Referral.objects.update(next_check_at=timezone.now() - timedelta(minutes=1))
    said = gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    assert "Settled: 1." in said
    assert [line["amount"] for line in lines(tmp_path / "owed.csv")] == ["15.00"]
    assert open_terms(site_id=None) == []


def test_what_cannot_be_settled_stops_it_before_anything_is_taken_away(
    leave: Leave, off: None, advocate: Any, mat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = make_program(hold_days=0)
    order = create_order(claimed(advocate, terms, mat), email="lea@example.com")
    order.set_status("Paid")
    order.set_status("Shipped")
    Referral.objects.update(next_check_at=timezone.now() - timedelta(minutes=1))
    path = tmp_path / "owed.csv"

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a shop that does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(OscarShop, "facts", broken)
        # Also the second time, while the next try of the first failure is still to come.
        for _again in range(2):
            with pytest.raises(CommandError, match="could not be settled"):
                leave("--yes", "--owed", str(path))
    assert not path.exists()
    assert Program.objects.filter(live=True).exists()
    assert leave("--yes", "--owed", str(path))[0] == 0
    assert [line["amount"] for line in lines(path)] == ["15.00"]


def test_it_goes_on_without_what_cannot_be_settled_on_a_word(
    leave: Leave, off: None, advocate: Any, mat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_order(claimed(advocate, make_program(hold_days=0), mat), email="lea@example.com")
    Referral.objects.update(next_check_at=timezone.now() - timedelta(minutes=1))

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a shop that does not answer")

    monkeypatch.setattr(OscarShop, "facts", broken)
    code, said = leave("--yes", "--owed", str(tmp_path / "owed.csv"), "--despite-failures")
    assert code == 0 and "Failed: 1." in said
    assert not Program.objects.filter(live=True).exists()


def test_a_reward_of_a_guest_is_counted_and_cannot_be_named(leave: Leave, off: None, mat: Any) -> None:
    guest = people.advocate_for_guest("zoe@example.com")
    order = create_order(claimed(guest, make_program(hold_days=30), mat), email="lea@example.com")
    order.set_status("Paid")
    order.set_status("Shipped")
    sweep()
    assert list(owed()) == []
    assert "1 reward waits for a guest to open an account." in leave()[1]


@pytest.fixture
def hub(db: None) -> HubPage:
    home = Site.objects.get(is_default_site=True).root_page
    return home.add_child(instance=HubPage(title="Refer a friend", slug="refer"))


def test_our_pages_go_and_what_is_below_them_moves_up(leave: Leave, settings: Any, hub: HubPage) -> None:
    parent = hub.get_parent()
    parent.add_child(instance=Page(title="Terms of sale", slug="terms"))
    stranger = hub.add_child(instance=Page(title="Terms of the offer", slug="terms"))
    below = stranger.add_child(instance=Page(title="In French", slug="french"))
    hub.add_child(instance=HubPage(title="One more", slug="more")).add_child(
        instance=Page(title="Deep", slug="deep")
    )
    gone(leave, settings)
    assert not HubPage.objects.exists()
    stranger.refresh_from_db()
    assert stranger.get_parent().pk == parent.pk and stranger.slug == "terms-2"
    below.refresh_from_db()
    assert below.url_path == f"{parent.url_path}terms-2/french/"
    assert Page.objects.get(slug="deep").get_parent().pk == parent.pk
    assert not Page.find_problems()[0]


def test_a_site_that_begins_with_our_page_is_in_the_way(leave: Leave, off: None, hub: HubPage) -> None:
    Site.objects.create(hostname="refer.example.com", root_page=hub)
    code, said = leave("--yes")
    assert code == 1 and "begins with our page “Refer a friend”" in said
    assert HubPage.objects.exists() and Site.objects.count() == 2


# Again and again


def test_it_may_be_repeated(
    leave: Leave,
    settings: Any,
    friend: Friend,
    advocate: Any,
    terms: Any,
    mat: Any,
    camille: Any,
    tmp_path: Path,
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    give(camille, "15")
    first = gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    before = (in_the_database(), (tmp_path / "owed.csv").read_text())
    second = gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    assert (in_the_database(), (tmp_path / "owed.csv").read_text()) == before
    assert "Vouchers deleted" in first and "Vouchers deleted" not in second
    code, said = leave()
    assert code == 0 and "voucher" not in said and "page" not in said


def test_a_run_that_was_killed_is_repeated(
    leave: Leave,
    settings: Any,
    friend: Friend,
    advocate: Any,
    terms: Any,
    mat: Any,
    monkeypatch: Any,
    tmp_path: Path,
) -> None:
    """Killed after the first portion of vouchers: the second run does the rest."""
    for number in range(5):
        vouchers.issue(request_of(number))
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
    monkeypatch.setattr(oscar_leaving, "PORTION", 2)
    delete = oscar_leaving.Vouchers._delete_unused

    def killed(self: Any) -> Any:
        for number in delete(self):
            yield number
            raise KeyboardInterrupt

    monkeypatch.setattr(oscar_leaving.Vouchers, "_delete_unused", killed)
    with pytest.raises(KeyboardInterrupt):
        leave("--yes")
    assert Voucher.objects.count() == 3
    monkeypatch.setattr(oscar_leaving.Vouchers, "_delete_unused", delete)
    assert leave("--yes")[0] == 0
    assert not Voucher.objects.exists()


def request_of(number: int) -> Any:
    from tests.oscar_integration.test_vouchers import request

    return request(f"discount:{number}")


def test_the_shop_can_come_back(
    leave: Leave, settings: Any, friend: Friend, advocate: Any, terms: Any, mat: Any, tmp_path: Path
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("jo@example.com")
    friend.buy()
    gone(leave, settings, "--owed", str(tmp_path / "owed.csv"))
    settings.WAGTAIL_REFERRALS_OSCAR = {}
    again = Friend(Client())
    again.click(advocate, make_program())
    again.add("MAT")
    assert str(again.basket().total_incl_tax) == "90.00"


def test_tables_that_stay_keep_accounts_from_being_deleted(camille: Any, advocate: Any) -> None:
    """Why the tables go before the code: without it, nothing empties the fields that refer to a user."""
    assert advocate.user_id == camille.pk
    table = connection.ops.quote_name(type(camille)._meta.db_table)

    def as_without_the_package() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [camille.pk])
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        as_without_the_package()
    camille.delete()
