"""The addresses of old customers, written down however often it is begun, and whatever goes on meanwhile."""

from __future__ import annotations

import threading
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.killing import in_a_process
from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop, place_order
from wagtail_referrals import people
from wagtail_referrals.people.hashing import email_key
from wagtail_referrals.people.models import Advocate, Backfill, Code, CustomerEmail
from wagtail_referrals.referrals import backfill

LONG = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.fr"


def account(name: str, email: str, **values: Any) -> Any:
    """As an account was made before the package came: nothing of ours heard of it."""
    return get_user_model().objects.bulk_create([get_user_model()(username=name, email=email, **values)])[0]


def guest_order(number: str, email: str, now: Any, **values: Any) -> Any:
    return Order.objects.create(number=number, email=email, goods=Decimal(20), placed_at=now, **values)


def known(email: str) -> bool:
    return PlainShop().was_customer(user=None, email=email, excluding=None)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagtail_referrals.referrals.customer_emails.BATCH", 3)
    monkeypatch.setattr("wagtail_referrals.people.bulk.BATCH", 3)


def rows() -> list[tuple[Any, Any, str]]:
    values = CustomerEmail.objects.order_by("pk").values_list("user", "order_reference", "email_hash")
    return list(values)


@pytest.mark.django_db
def test_every_account_and_every_guests_order_with_an_address_has_one_row(now):
    emails = [
        "lea@example.com",
        "",
        "L.EA+x@example.com",
        "lea@example.com",
        "no address",
        "@",
        LONG,
        "ZOË@exämple.fr",
    ]
    users = [account(f"u{number}", email) for number, email in enumerate(emails)]
    for number, email in enumerate(emails):
        guest_order(str(number), email, now)
    assert backfill() == {"accounts": 7, "orders": 7}
    by_user = {user: key for user, _order, key in rows() if user}
    assert by_user == {user.pk: email_key(user.email) for user in users if user.email}
    assert {order for _user, order, _key in rows() if order} == {"0", "2", "3", "4", "5", "6", "7"}
    assert by_user[users[0].pk] == by_user[users[2].pk] == by_user[users[3].pk]
    assert known(LONG.upper()) and known("zo.ë@EXÄMPLE.fr")
    before = rows()
    assert backfill() == {"accounts": 0, "orders": 0}
    assert rows() == before
    assert Backfill.objects.count() == 1


@pytest.mark.django_db
def test_an_address_that_was_changed_in_the_database_is_found_when_all_is_looked_at_again(now):
    lea = account("lea", "old@example.com")
    guest_order("1", "first@example.com", now)
    backfill()
    get_user_model().objects.filter(pk=lea.pk).update(email="new@example.com")
    Order.objects.update(email="second@example.com")
    assert backfill() == {"accounts": 0, "orders": 0}
    assert backfill(again=True) == {"accounts": 1, "orders": 1}
    keys = {email_key(email) for email in ("old@example.com", "new@example.com", "second@example.com")}
    assert {key for _user, _order, key in rows()} == keys


@pytest.mark.django_db
def test_what_comes_while_it_runs_is_written_too(now):
    for number in range(8):
        guest_order(str(number), f"guest{number}@example.com", now)
    come = []

    def meanwhile(what: str, done: int, total: int) -> None:
        if what == "orders" and done == 6 and not come:
            come.append(place_order)
            # One that we hear of, and one that came past us and sorts before those that are done.
            people.remember_order("heard", "heard@example.com")
            guest_order("heard", "heard@example.com", now)
            guest_order("unheard", "unheard@example.com", now)
            Order.objects.filter(number="unheard").update(id=-1)

    backfill(progress=meanwhile)
    assert known("he.ard@example.com") and known("un.heard@example.com")
    assert CustomerEmail.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_accounts_that_are_deleted_while_they_are_written_are_left_out(monkeypatch):
    users = [account(f"u{number}", f"u{number}@example.com") for number in range(5)]
    gone = users[1].pk
    real = people.write_account_emails

    def too_late(emails: Any) -> int:
        get_user_model().objects.filter(pk=gone).delete()
        return real(emails)

    monkeypatch.setattr(people, "write_account_emails", too_late)
    assert backfill()["accounts"] == 4
    assert {user for user, _order, _key in rows()} == {user.pk for user in users} - {gone}


@pytest.mark.django_db(transaction=True)
def test_killed_anywhere_and_begun_again_it_writes_everything_once(now):
    for number in range(12):
        account(f"u{number}", f"u{number}@example.com", first_name=f"Name {number}")
        guest_order(str(number), f"g{number}@example.com", now)
    done = in_a_process("tests.plainshop.dying_backfill", places=12)
    # Each goes on where the one before it died, so the last ones find everything done.
    assert len(done["died"]) >= 5
    backfill()
    people.make_codes(get_user_model().objects.all())
    assert CustomerEmail.objects.count() == 24
    assert Advocate.objects.count() == Code.objects.filter(is_active=True).count() == 12
    assert Backfill.objects.count() == 1


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_two_at_once_write_everything_once_and_hold_up_nobody(now):
    for number in range(60):
        account(f"u{number}", f"u{number}@example.com")
        guest_order(str(number), f"g{number}@example.com", now)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            backfill()
            people.make_codes(get_user_model().objects.all())
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert CustomerEmail.objects.count() == 120
    assert Advocate.objects.count() == Code.objects.count() == 60


# Codes


@pytest.mark.django_db(transaction=True)
def test_an_account_that_is_deleted_meanwhile_keeps_no_code_from_the_others(monkeypatch, make_user):
    users = [make_user(f"u{number}") for number in range(5)]
    gone = users[1].pk
    accounts = get_user_model().objects
    monkeypatch.setattr(people.bulk, "_adopt_guests", lambda batch: accounts.filter(pk=gone).delete())
    assert people.make_codes(get_user_model().objects.all()) == 4
    assert Code.objects.count() == Advocate.objects.count() == 4


@pytest.mark.django_db
def test_referrers_made_at_once_are_those_that_would_have_been_made_one_by_one(now, make_user):
    lea = make_user("lea")
    zoe = make_user("zoe")
    make_user("no")
    type(zoe).objects.filter(pk=zoe.pk).update(first_name="zoe@example.com")
    tom = people.advocate_for(make_user("tom"))
    stopped = people.advocate_for(make_user("stopped"))
    stopped.codes.update(is_active=False)
    Advocate.objects.filter(pk=stopped.pk).update(state="blocked")
    nina = people.advocate_for_guest("nina@example.com")
    text = people.code_of(nina)
    make_user("nina")
    before = people.code_of(tom)
    out = StringIO()
    call_command("referrals_backfill", codes="all", stdout=out, stderr=StringIO())
    assert "3 codes made." in out.getvalue()
    made = people.find_advocate(lea)
    assert (made.public_name, made.name_confirmed_at, made.state) == ("Lea", None, "active")
    assert people.find_advocate(zoe).public_name == "", "an address is no name"
    assert people.code_of(tom) == before
    assert not stopped.codes.filter(is_active=True).exists()
    nina.refresh_from_db()
    assert (nina.user.username, people.code_of(nina), nina.public_name) == ("nina", text, "Nina")
    assert people.find_code(people.code_of(made)).user_id == lea.pk
    call_command("referrals_backfill", codes="all", stdout=out, stderr=StringIO())
    assert "0 codes made." in out.getvalue()


@pytest.mark.django_db
def test_customers_are_those_with_an_order_that_came_to_something(now, make_user):
    lea, zoe, tom = make_user("lea"), make_user("zoe"), make_user("tom")
    guest_order("1", "x@example.com", now, user=lea)
    guest_order("2", "x@example.com", now, user=zoe, cancelled=True)
    guest_order("3", "x@example.com", now, user=tom)
    type(tom).objects.filter(pk=tom.pk).update(is_active=False)
    call_command("referrals_backfill", codes="customers", stdout=StringIO(), stderr=StringIO())
    assert list(Advocate.objects.values_list("user", flat=True)) == [lea.pk]


@pytest.mark.django_db
def test_a_code_that_is_taken_is_drawn_again(monkeypatch, make_user):
    taken = people.code_of(people.advocate_for(make_user("tom")))
    for number in range(4):
        make_user(f"u{number}")
    drawn = iter([[taken, "AAAAAAAA", "AAAAAAAB"], ["AAAAAAAC"], ["AAAAAAAD"]])
    monkeypatch.setattr("wagtail_referrals.people.bulk.new_codes", lambda number: next(drawn))
    assert people.make_codes(get_user_model().objects.all()) == 4
    assert Code.objects.count() == Advocate.objects.count() == 5


@pytest.mark.django_db
def test_a_code_that_a_visitor_tried_before_works_at_once(monkeypatch, make_user):
    lea = make_user("lea")
    assert people.find_code("AAAAAAAA") is None
    monkeypatch.setattr("wagtail_referrals.people.bulk.new_codes", lambda number: ["AAAAAAAA"])
    people.make_codes(get_user_model().objects.all())
    assert people.find_code("AAAAAAAA").user_id == lea.pk


# What it says


@pytest.mark.django_db
def test_the_command_says_what_it_did_and_how_far_it_is(now, monkeypatch):
    moments = iter(range(0, 1000, 6))
    monkeypatch.setattr("wagtail_referrals.management.progress.time.monotonic", lambda: next(moments))
    account("lea", "lea@example.com")
    for number in range(7):
        guest_order(str(number), f"g{number}@example.com", now)
    out, err = StringIO(), StringIO()
    call_command("referrals_backfill", stdout=out, stderr=err)
    assert out.getvalue().splitlines() == [
        "Addresses written: of 1 account and 7 guests' orders. All are known now."
    ]
    lines = err.getvalue().splitlines()
    assert "Orders of guests: 3 of 7 (42 %), 8 s left" in lines
    assert lines[-1] == "Orders of guests: 7 of 7 (100 %)"
    call_command("referrals_backfill", stdout=out, stderr=err, no_progress=True)
    assert out.getvalue().splitlines()[-1] == "The addresses of all accounts and guests' orders are known."
    assert "@" not in out.getvalue() + err.getvalue()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_on_a_terminal_it_draws_a_bar_and_leaves_nothing_of_it(now, monkeypatch):
    moments = iter(range(0, 1000, 30))
    monkeypatch.setattr("wagtail_referrals.management.progress.time.monotonic", lambda: next(moments))
    for number in range(9):
        guest_order(str(number), f"g{number}@example.com", now)
    err = Terminal()
    call_command("referrals_backfill", stdout=StringIO(), stderr=err)
    drawn = err.getvalue().split("\r")
    assert "[##########....................] Orders of guests: 3 of 9 (33 %), 1 min 0 s left\x1b[K" in drawn
    assert drawn[-1] == "\x1b[K" and "\n" not in err.getvalue()


@pytest.mark.django_db
def test_asking_again_costs_the_same_however_much_there_is(now):
    counted = []
    for number in range(30):
        guest_order(str(number), f"g{number}@example.com", now)
        if number in (4, 29):
            backfill()
            with CaptureQueriesContext(connection) as captured:
                backfill()
            counted.append(len(captured))
    assert counted[0] == counted[1]
