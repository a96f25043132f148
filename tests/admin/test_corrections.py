"""Credit corrected by staff: the form, what it writes, who may, and what stays of it when people go."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_reward, make_user
from wagtail_referrals import credit, people
from wagtail_referrals.credit.models import Account, Entry

pytestmark = pytest.mark.django_db

FINANCE = ("view_account", "adjust_account")


@pytest.fixture
def customer() -> Any:
    return make_user("camille@example.com", "Camille")


@pytest.fixture
def account(customer: Any) -> Account:
    """Twenty euros."""
    credit.grant(user=customer, currency="EUR", amount=Decimal(20), key="test:1", now=NOW)
    return Account.objects.get(user=customer)


@pytest.fixture
def finance() -> Client:
    return signed_in(staff("finance@example.com", *FINANCE))


def url_of(account: Account) -> str:
    return reverse("wagtail_referrals_accounts:adjust", args=[account.pk])


def page_of(client: Client, account: Account) -> BeautifulSoup:
    response = client.get(reverse("wagtail_referrals_accounts:inspect", args=[account.pk]))
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def words_of(soup: BeautifulSoup) -> str:
    return " ".join(soup.get_text(" ", strip=True).split())


def form_of(client: Client, account: Account) -> dict[str, str]:
    """The form as the browser has it."""
    form = BeautifulSoup(client.get(url_of(account)).content, "html.parser").find("form", id="w-editor-form")
    assert form is not None
    chosen = {
        field["name"]: field.find("option", selected=True)["value"] for field in form.find_all("select")
    }
    return chosen | {
        field["name"]: field.get("value", "")
        for field in form.find_all("input")
        if field.get("name") and (field.get("type") != "radio" or field.has_attr("checked"))
    }


def send(client: Client, account: Account, **values: str) -> Any:
    return client.post(
        url_of(account), form_of(client, account) | {"note": "Late parcel"} | values, follow=True
    )


def balance(account: Account) -> Decimal:
    return Account.objects.get(pk=account.pk).balance


def test_credit_is_added_with_a_note(finance: Client, account: Account) -> None:
    response = send(finance, account, amount="5.50")
    text = words_of(BeautifulSoup(response.content, "html.parser"))
    assert "€5.50 was added. The balance is now €25.50." in text
    assert balance(account) == Decimal("25.50")
    entry = Entry.objects.get(kind=Entry.Kind.ADJUST)
    assert entry.amount == Decimal("5.50")
    assert "Late parcel" not in str(Entry.objects.values().get(pk=entry.pk))
    # Whose it is, and who, when, how much and why, on the account's page.
    page = page_of(finance, account)
    name = page.select_one(".referral-record h2")
    assert name is not None
    assert name.get_text() == "Camille"
    row = page.find("td", class_="referral-movement")
    assert row is not None
    cells = words_of(row.parent)
    assert cells.startswith("11/11/2026")
    assert "Adjusted finance@example.com: Late parcel +€5.50" in cells


def test_credit_is_taken(finance: Client, account: Account) -> None:
    response = send(finance, account, direction="take", amount="20")
    assert "€20.00 was taken. The balance is now €0.00." in response.content.decode()
    assert balance(account) == 0


def test_the_history_of_the_site_tells_it(finance: Client, admin: Client, account: Account) -> None:
    send(finance, account, amount="5")
    send(finance, account, direction="take", amount="2", note="Typed too much")
    entry = ModelLogEntry.objects.filter(action=people.ADJUST_ACTION).last()
    assert entry is not None
    assert entry.label == f"credit account {account.pk} (EUR)"
    html = admin.get(reverse("wagtailadmin_reports:site_history")).content.decode()
    assert "Corrected the credit by +€5.00: Late parcel" in html
    assert "Corrected the credit by -€2.00: Typed too much" in html
    assert "Correct referral credit" in html
    assert "camille@example.com" not in html


def test_sent_twice_it_is_one_correction(finance: Client, account: Account) -> None:
    """A double click, and a reload of the answer."""
    form = form_of(finance, account) | {"amount": "5", "note": "Late parcel"}
    for _ in range(3):
        response = finance.post(url_of(account), form, follow=True)
        assert "€5.00 was added. The balance is now €25.00." in response.content.decode()
    assert Entry.objects.filter(kind=Entry.Kind.ADJUST).count() == 1
    assert ModelLogEntry.objects.filter(action=people.ADJUST_ACTION).count() == 1


@pytest.mark.parametrize("other", [{"amount": "7"}, {"note": "Something else"}, {"direction": "take"}])
def test_going_back_and_changing_it_is_not_swallowed(
    finance: Client, account: Account, other: dict[str, str]
) -> None:
    form = form_of(finance, account) | {"amount": "5", "note": "Late parcel"}
    finance.post(url_of(account), form)
    response = finance.post(url_of(account), form | other)
    text = words_of(BeautifulSoup(response.content, "html.parser"))
    assert "From this form +€5.00 was recorded already (“Late parcel”)." in text
    assert balance(account) == Decimal(25)
    # What was typed is there, and sending it again is another correction.
    soup = BeautifulSoup(response.content, "html.parser")
    assert soup.find("input", {"name": "amount"})["value"] == other.get("amount", "5")
    assert other.get("note", "Late parcel") in soup.find("textarea", {"name": "note"}).text
    token = soup.find("input", {"name": "token"})["value"]
    assert token != form["token"]
    finance.post(url_of(account), form | other | {"token": token})
    assert Entry.objects.filter(kind=Entry.Kind.ADJUST).values("key").distinct().count() == 2


def test_the_same_again_from_another_form_is_asked_about(finance: Client, account: Account) -> None:
    """Somebody was not sure that it had worked, went back, and got a fresh form with what they had typed."""
    send(finance, account, amount="5")
    response = send(finance, account, amount="5.00")
    assert "was recorded a moment ago" in response.content.decode()
    assert balance(account) == Decimal(25)
    form = BeautifulSoup(response.content, "html.parser").find("form", id="w-editor-form")
    assert form.find("input", {"name": "amount"})["value"] == "5.00"
    values = {name: form.find("input", {"name": name})["value"] for name in ("token", "repeat")}
    send(finance, account, amount="5.00", **values)
    assert balance(account) == Decimal(30)
    # Another reason, another amount, or another day, is another correction.
    assert "was added" in send(finance, account, amount="5", note="Other").content.decode()
    assert "was added" in send(finance, account, amount="6").content.decode()
    with time_machine.travel(NOW + timedelta(days=2), tick=False):
        assert "was added" in send(finance, account, amount="5").content.decode()


def test_more_than_there_is_cannot_be_taken(finance: Client, account: Account) -> None:
    response = send(finance, account, direction="take", amount="20.01")
    assert response.status_code == 200
    soup = BeautifulSoup(response.content, "html.parser")
    assert "At most €20.00 can be taken: the customer has no more." in words_of(soup)
    assert soup.find("input", {"name": "amount"})["value"] == "20.01"
    assert "Late parcel" in soup.find("textarea", {"name": "note"}).text
    assert balance(account) == Decimal(20)
    assert not ModelLogEntry.objects.filter(action=people.ADJUST_ACTION).exists()


def test_what_is_set_aside_is_not_taken(finance: Client, account: Account, customer: Any) -> None:
    credit.reserve(
        user=customer,
        currency="EUR",
        amount=Decimal(15),
        order_number="100012",
        expires_at=NOW + timedelta(days=30),
    )
    response = send(finance, account, direction="take", amount="6")
    text = words_of(BeautifulSoup(response.content, "html.parser"))
    assert "At most €5.00 can be taken. Another €15.00 is set aside for a payment under way." in text


def test_a_shortfall_is_explained_and_paid_first(finance: Client, account: Account, customer: Any) -> None:
    credit.claw_back(user=customer, currency="EUR", amount=Decimal(30), key="test:2")
    text = words_of(BeautifulSoup(finance.get(url_of(account)).content, "html.parser"))
    assert "€10.00 was taken back after it had been spent, and is still to recover." in text
    assert "was taken back after it had been spent" in words_of(page_of(finance, account))
    response = send(finance, account, amount="15")
    assert (
        "€15.00 was added. €10.00 of it paid what was still to recover. The balance is now €5.00."
        in response.content.decode()
    )
    assert balance(account) == Decimal(5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"amount": ""}, "Give an amount."),
        ({"amount": "0"}, "Give an amount above zero."),
        ({"amount": "-5"}, "Give an amount above zero."),
        ({"amount": "a lot"}, "Give an amount, like 15.00."),
        ({"amount": "NaN"}, "Give an amount, like 15.00."),
        ({"amount": "5.001"}, "no more than 2 decimal places"),
        ({"amount": "10000000"}, "This is too much"),
        ({"amount": "5", "note": "   "}, "Say why: colleagues will want to know."),
        ({"amount": "5", "direction": ""}, "Say whether to add or to take."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    finance: Client, account: Account, values: dict[str, str], message: str
) -> None:
    response = send(finance, account, **values)
    soup = BeautifulSoup(response.content, "html.parser")
    assert message in words_of(soup)
    assert soup.find("input", {"name": "amount"}).get("value", "") == values["amount"]
    assert balance(account) == Decimal(20)


def test_without_its_token_a_form_is_refused(finance: Client, account: Account) -> None:
    response = send(finance, account, amount="5", token="")
    assert response.status_code == 200
    assert balance(account) == Decimal(20)


def test_another_currency_of_the_customer(finance: Client, account: Account, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CURRENCIES": ["EUR", "JPY"]}
    refused = send(finance, account, amount="5.50", currency="JPY")
    assert "JPY has no decimals: give a whole number." in refused.content.decode()
    response = send(finance, account, amount="500", currency="JPY")
    assert "¥500 was added. The balance is now ¥500." in response.content.decode()
    assert balance(account) == Decimal(20)
    assert Account.objects.get(currency="JPY").user_id == account.user_id
    unknown = send(finance, account, amount="500", currency="USD")
    assert unknown.status_code == 200
    assert not Account.objects.filter(currency="USD").exists()


@pytest.mark.parametrize(
    "rights", [("view_account",), ("adjust_account",), ("view_account", "change_advocate")]
)
def test_it_needs_its_own_permission(account: Account, rights: tuple[str, ...]) -> None:
    client = signed_in(staff("reader@example.com", *rights))
    for response in (client.get(url_of(account)), client.post(url_of(account), {"amount": "5"})):
        assert response.status_code == 302
        assert response["Location"] == "/admin/"
    assert balance(account) == Decimal(20)
    if "view_account" in rights:
        assert url_of(account) not in str(page_of(client, account))


def test_who_may_is_led_there(finance: Client, admin: Client, account: Account) -> None:
    for client in (finance, admin):
        assert page_of(client, account).find("a", href=url_of(account))


def test_the_permission_is_in_the_form_of_a_group(admin: Client) -> None:
    page = BeautifulSoup(admin.get(reverse("wagtailusers_groups:add")).content, "html.parser")
    pk = Permission.objects.get(codename="adjust_account").pk
    (box,) = page.select(f"input[type=checkbox][value='{pk}'][name=permissions]")
    assert "Can correct referral credit" in str(box.find_parent("td") or box.find_parent("li"))


def test_the_note_goes_with_the_customer(finance: Client, account: Account, customer: Any) -> None:
    send(finance, account, amount="5", note="Her grandmother asked for it")
    other = make_user("noa@example.com", "Noa")
    credit.grant(user=other, currency="EUR", amount=Decimal(1), key="test:3")
    send(finance, Account.objects.get(user=other), amount="1", note="Another one")
    customer.delete()
    logged = ModelLogEntry.objects.get(action=people.ADJUST_ACTION, object_id=str(account.pk))
    assert "grandmother" not in str(ModelLogEntry.objects.values().get(pk=logged.pk))
    assert logged.message == "Corrected the credit by +€5.00"
    text = words_of(page_of(finance, account))
    assert "The customer was deleted." in text
    assert "Adjusted finance@example.com +€5.00" in text
    assert url_of(account) not in str(page_of(finance, account))
    # The books are as they were, and nobody can be given anything.
    assert balance(account) == Decimal(25)
    assert finance.get(url_of(account), follow=True).status_code == 404
    assert "Another one" in ModelLogEntry.objects.exclude(pk=logged.pk).last().message


def test_the_member_of_staff_goes(account: Account) -> None:
    user = staff("finance@example.com", *FINANCE)
    user.first_name = "Finn"
    user.save()
    send(signed_in(user), account, amount="5")
    reader = signed_in(staff("reader@example.com", "view_account"))
    assert "Finn: Late parcel" in words_of(page_of(reader, account))
    number = user.pk
    user.delete()
    text = words_of(page_of(reader, account))
    assert f"user {number} (deleted): Late parcel +€5.00" in text
    assert "Finn" not in text


def test_the_page_says_what_each_movement_was_for(admin: Client, referral: Any) -> None:
    reward = make_reward(referral, "15.00", "15.00")
    user = referral.advocate.user
    credit.grant(user=user, currency="EUR", amount=Decimal(15), key=f"reward:{reward.pk}:1")
    credit.reserve(
        user=user,
        currency="EUR",
        amount=Decimal(4),
        order_number="100012",
        expires_at=NOW + timedelta(days=9),
    )
    soup = page_of(admin, Account.objects.get(user=user))
    link = soup.find("a", href=reverse("wagtail_referrals_referrals:inspect", args=[referral.pk]))
    assert words_of(link) == "Reward: €15.00 of referral credit"
    assert "Set aside, order 100012" in words_of(soup)
    assert "€15.00 – does not expire (€4.00 of it is set aside)" in words_of(soup)
    reader = signed_in(staff("reader@example.com", "view_account"))
    assert not page_of(reader, Account.objects.get(user=user)).find("a", href=link["href"])


def test_the_page_costs_the_same_with_many_movements(admin: Client, referral: Any) -> None:
    user = referral.advocate.user
    reward = make_reward(referral, "15.00", "15.00")
    counts = []
    for start in (0, 3):
        for number in range(start, start + 3):
            credit.grant(user=user, currency="EUR", amount=Decimal(1), key=f"reward:{reward.pk}:{number}")
            people.correct_credit(
                user=user, currency="EUR", amount=Decimal(1), note="Why not", key=f"k{number}", actor=user
            )
        account = Account.objects.get(user=user)
        page_of(admin, account)
        with CaptureQueriesContext(connection) as queries:
            page_of(admin, account)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_older_movements_are_in_the_list(
    admin: Client, account: Account, customer: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("wagtail_referrals.admin.credit.MOST_ENTRIES", 2)
    for number in range(3):
        credit.adjust(user=customer, currency="EUR", amount=Decimal(1), key=f"k{number}")
    # An operation of which only a part would be shown is left to the list.
    credit.adjust(user=customer, currency="EUR", amount=Decimal(-22), key="three lots")
    credit.adjust(user=customer, currency="EUR", amount=Decimal(7), key="last")
    rows = page_of(admin, account).select(".referral-scroll tbody tr")
    assert ["+€7.00" in row.get_text() for row in rows] == [True]
    other = make_user("noa@example.com", "Noa")
    credit.grant(user=other, currency="EUR", amount=Decimal(1), key="test:3")
    link = page_of(admin, account).find("a", string="All movements of this account")
    assert link is not None
    text = words_of(BeautifulSoup(admin.get(link["href"]).content, "html.parser"))
    assert text.count("Camille") >= 4
    assert "Noa" not in text


# --- the operation itself


def test_the_operation_wants_a_reason_and_an_amount(customer: Any) -> None:
    for amount, note in ((Decimal(5), "  "), (Decimal(0), "Why")):
        with pytest.raises(ValueError):
            people.correct_credit(user=customer, currency="EUR", amount=amount, note=note, key="k")
    assert not Entry.objects.exists()
    assert not ModelLogEntry.objects.filter(action=people.ADJUST_ACTION).exists()


def test_the_operation_without_anybody(customer: Any) -> None:
    """From a task or a shell."""
    done = people.correct_credit(
        user=customer,
        currency="EUR",
        amount=Decimal("5.004"),
        note="Moved from the old shop",
        key="k",
        now=NOW,
    )
    assert (done.amount, done.recovered, done.is_new) == (Decimal("5.00"), 0, True)
    again = people.correct_credit(user=customer, currency="EUR", amount=Decimal(9), note="Other", key="k")
    assert (again.amount, again.note, again.is_new) == (Decimal("5.00"), "Moved from the old shop", False)
    (logged,) = people.corrections_of([done.account_id])
    assert (logged.user, logged.timestamp) == (None, NOW)
