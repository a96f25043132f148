""" "Did a friend send you?" at the payment step: what is asked of whom, what is said, and what never happens."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches, reverse
from django.utils import timezone
from django.utils.html import escape
from oscar.core.loading import get_model
from oscar.test import factories

from example_site.card.gateway import ACCEPTED
from oscar_integration import checks, named, question, repair
from oscar_integration.checkout import extend
from oscar_integration.question import ReferralQuestionMixin, extend_question
from tests.checks import with_options
from tests.oscar_integration.paying import Customer, give
from tests.oscar_integration.shopping import Friend
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import code_of, email_key, exact_email_key
from wagtail_referrals.referrals import answer_request, decide_request, report_order
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

Order = get_model("order", "Order")
QUESTION = "Did a friend send you?"
THANKS = "Thank you. Once you have ordered, we ask whether that is so."


@pytest.fixture
def asking(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {
        **getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {}),
        "ASK_WHO_SENT": True,
    }
    settings.ROOT_URLCONF = "tests.oscar_integration.question_urls"


@pytest.fixture
def lyon(camille: Any, advocate: Any, france: Any) -> Any:
    """Camille Martin, who refers, has an address in Lyon in her address book."""
    camille.last_name = "Martin"
    camille.save()
    factories.UserAddressFactory(user=camille, line1="12 rue Longue", line4="Lyon", country=france)
    return camille


@pytest.fixture
def at_payment(asking: None, friend: Friend, mat: Any, terms: Any) -> Friend:
    friend.add("MAT")
    friend.as_guest()
    friend.deliver()
    return friend


def page(shopper: Friend) -> str:
    return shopper.client.get(shopper.url("checkout/payment-details/")).content.decode()


def say(shopper: Friend, step: str = "payment-details", **values: str) -> Any:
    return shopper.client.post(
        shopper.url(f"checkout/{step}/"), {"action": "referral-question", **values}, follow=True
    )


def place(shopper: Friend) -> Any:
    response = shopper.place(ACCEPTED)
    assert response.status_code == 302
    return Order.objects.latest("pk")


# Who is asked


def test_a_shopper_without_an_invitation_is_asked(at_payment: Friend) -> None:
    text = page(at_payment)
    assert text.count(QUESTION) == 1
    assert "style=" not in text.split("referrals-question")[1].split("</section>")[0]


def test_nobody_is_asked_without_the_setting(friend: Friend, mat: Any, terms: Any, settings: Any) -> None:
    friend.add("MAT")
    friend.as_guest()
    friend.deliver()
    assert QUESTION not in page(friend)
    assert not issubclass(apps.get_app_config("checkout").payment_details_view, ReferralQuestionMixin)
    assert say(friend, name="Camille Martin", town="Lyon").status_code == 400, "Oscar takes no posts there"
    settings.ROOT_URLCONF = "tests.oscar_integration.question_urls"
    assert QUESTION not in page(friend), "switched off since the shop started"
    assert say(friend, name="Camille Martin", town="Lyon").status_code == 400
    assert not AttributionRequest.objects.exists()


def test_no_view_is_touched_without_the_setting(settings: Any) -> None:
    class Checkout:
        payment_details_view = type("View", (), {})

    before = Checkout.payment_details_view
    extend_question(Checkout)
    assert Checkout.payment_details_view is before
    settings.WAGTAIL_REFERRALS_OSCAR = {"ASK_WHO_SENT": True}
    extend_question(Checkout)
    assert issubclass(Checkout.payment_details_view, (ReferralQuestionMixin, before))


def test_who_has_an_invitation_is_not_asked(
    asking: None, friend: Friend, mat: Any, advocate: Any, terms: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest()
    friend.deliver()
    assert QUESTION not in page(friend)


def test_a_customer_who_was_invited_elsewhere_is_not_asked(
    asking: None, make_customer: Any, france: Any, mat: Any, advocate: Any, terms: Any
) -> None:
    lea = make_customer("lea@example.com")
    customer = Customer(lea)
    customer.add("MAT")
    customer.deliver()
    assert QUESTION in page(customer)
    now = timezone.now()
    claim = Claim.objects.create(
        advocate=advocate,
        terms=terms,
        source="link",
        user=lea,
        created_at=now,
        expires_at=now + timedelta(days=9),
    )
    assert QUESTION not in page(customer)
    claim.state = "used"
    claim.save()
    assert QUESTION in page(customer)
    Referral.objects.create(
        terms=terms, program_key=terms.program_key, advocate=advocate, claim=claim, friend=lea, created_at=now
    )
    assert QUESTION not in page(customer)


def test_nobody_is_asked_while_no_program_is_open(at_payment: Friend, terms: Any) -> None:
    terms.program.live = False
    terms.program.save()
    assert QUESTION not in page(at_payment)


def test_a_guest_is_asked_whoever_the_address_belongs_to(
    at_payment: Friend, make_customer: Any, advocate: Any, terms: Any
) -> None:
    """That nobody asks would tell that somebody with this address is a customer, or a friend."""
    now = timezone.now()
    page(at_payment)
    with CaptureQueriesContext(connection) as captured:
        assert QUESTION in page(at_payment)
    first = len(captured)
    email = at_payment.client.session["checkout_data"]["guest"]["email"]
    make_customer(email)
    claim = Claim.objects.create(
        advocate=advocate, terms=terms, source="link", created_at=now, expires_at=now + timedelta(days=9)
    )
    Referral.objects.create(
        terms=terms,
        program_key=terms.program_key,
        advocate=advocate,
        claim=claim,
        friend_email_hash=email_key(email),
        friend_exact_email_hash=exact_email_key(email),
        created_at=now,
    )
    with CaptureQueriesContext(connection) as captured:
        assert QUESTION in page(at_payment)
    assert len(captured) == first


# What is said


def test_the_answer_is_the_same_whoever_is_named(at_payment: Friend, lyon: Any) -> None:
    shown, statements = [], []
    page(at_payment)
    for name, town in (
        ("Camille Martin", "Lyon"),
        ("Nobody Known", "Lyon"),
        ("Camille Martin", "Paris"),
    ):
        with CaptureQueriesContext(connection) as captured:
            response = say(at_payment, name=name, town=town)
        statements.append(len(captured))
        text = response.content.decode()
        assert THANKS in text
        assert f"You told us: {name}, {town}." in text
        shown.append(text.replace(name, "").replace(town, "").count("Thank you"))
        say(at_payment, forget="1")
        assert not AttributionRequest.objects.exists()
        assert "You told us" not in page(at_payment)
    assert len(set(shown)) == len(set(statements)) == 1


def test_from_the_question_to_the_reward(at_payment: Friend, lyon: Any, advocate: Any) -> None:
    say(at_payment, name="MARTIN-camille", town="lyon ")
    total_before = at_payment.client.get(at_payment.url("basket/")).context["basket"].total_incl_tax
    order = place(at_payment)
    assert order.total_incl_tax == total_before == Decimal("100.00"), "no discount for what is only said"
    request = AttributionRequest.objects.get()
    assert (request.reference, request.advocate) == (str(order.number), None)
    rewards.sweep()
    request.refresh_from_db()
    assert request.advocate == advocate
    answer_request(request.pk, advocate, True)
    order.set_status("Paid")
    order.set_status("Shipped")
    rewards.sweep(now=timezone.now() + timedelta(days=15))
    rewards.sweep(now=timezone.now() + timedelta(days=16))
    assert credit.available(lyon, "EUR") == Decimal("15.00")
    referral = Referral.objects.get()
    assert (referral.claim.source, referral.claim.created_at < order.date_placed) == ("named", True)
    assert not DiscountGrant.objects.exists()


def test_a_code_does_what_it_does_in_the_basket(at_payment: Friend, advocate: Any) -> None:
    response = say(at_payment, code=code_of(advocate))
    text = response.content.decode()
    assert "90.00" in text
    assert QUESTION not in text, "who has an invitation is not asked any more"
    order = place(at_payment)
    assert order.total_incl_tax == Decimal("90.00")
    assert Purchase.objects.get().referral.claim.source == "code"
    assert not AttributionRequest.objects.exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Please type a code, or a name and a town."),
        ({"name": "Camille"}, "Please type the town too"),
        ({"town": "Lyon"}, "type your friend"),
        ({"code": "22222222"}, "This code is not known."),
        ({"name": "x" * 101, "town": "Lyon"}, "at most 100"),
        ({"name": "\u200b", "town": "Lyon"}, "first and last name"),
    ],
)
def test_what_lacks_is_said_where_it_lacks(at_payment: Friend, values: dict[str, str], words: str) -> None:
    response = say(at_payment, **values)
    text = response.content.decode()
    assert words in text
    assert '<details class="referrals-question-details" open>' in text
    assert 'role="alert"' in text
    assert response.status_code == 200
    assert not AttributionRequest.objects.exists()
    place(at_payment)


def test_what_was_typed_is_shown_as_text(at_payment: Friend) -> None:
    text = say(at_payment, name="<script>alert(1)</script>", town='"><b>').content.decode()
    assert "<script>alert(1)" not in text
    assert escape("<script>alert(1)</script>") in text


def test_another_persons_basket_says_nothing(at_payment: Friend, mat: Any) -> None:
    say(at_payment, name="Camille Martin", town="Lyon")
    other = Friend()
    other.add("MAT")
    other.deliver()
    assert "You told us" not in page(other)


def test_where_nothing_is_to_be_paid_it_is_asked_on_the_preview(
    asking: None, make_customer: Any, france: Any, mat: Any, terms: Any, lyon: Any
) -> None:
    lea = make_customer("lea@example.com")
    give(lea, "150")
    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("100")
    text = customer.client.get(customer.url("checkout/preview/")).content.decode()
    assert text.count(QUESTION) == 1
    assert "How you pay" in text, "below what credit shows"
    response = say(customer, "preview", name="Camille Martin", town="Lyon")
    assert THANKS in response.content.decode()
    assert response.redirect_chain == [("/en/checkout/preview/", 302)]
    customer.place_order()
    assert AttributionRequest.objects.get().reference == Order.objects.get().number
    assert AttributionRequest.objects.get().friend == lea


def test_a_preview_that_holds_the_card_is_left_alone(at_payment: Friend) -> None:
    response = at_payment.client.post(at_payment.url("checkout/preview/"), at_payment.card(ACCEPTED))
    assert QUESTION not in response.content.decode()


def test_nothing_stops_an_order(at_payment: Friend, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(*args: Any, **values: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(question, "name_friend", broken)
    text = say(at_payment, name="Camille Martin", town="Lyon").content.decode()
    assert "Your order does not depend on it" in text
    for name in ("named_friend", "_may_be_asked"):
        monkeypatch.setattr(question, name, broken)
        assert QUESTION not in page(at_payment)
    monkeypatch.setattr(repair, "note_order", broken)
    monkeypatch.setattr("oscar_integration.receivers.note_who_sent", broken)
    assert place(at_payment).number
    assert "Camille" not in caplog.text


def test_an_order_that_could_not_be_noted_is_noted_later(
    at_payment: Friend, monkeypatch: pytest.MonkeyPatch, lyon: Any, advocate: Any
) -> None:
    say(at_payment, name="Camille Martin", town="Lyon")
    with monkeypatch.context() as patched:
        patched.setattr("oscar_integration.receivers.note_who_sent", lambda order: 1 / 0)
        order = place(at_payment)
    assert AttributionRequest.objects.get().reference == ""
    rewards.sweep(now=timezone.now() + timedelta(minutes=6))
    request = AttributionRequest.objects.get()
    assert (request.reference, request.advocate) == (str(order.number), advocate)


def test_what_it_costs(at_payment: Friend, lyon: Any, settings: Any) -> None:
    """One statement for an order where somebody was named, or nobody was; one for the page."""

    def order_costs() -> int:
        with CaptureQueriesContext(connection) as captured:
            place(at_payment)
        return len(captured)

    def page_costs() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(at_payment)
        return len(captured)

    def costs() -> tuple[int, int]:
        at_payment.add("MAT")
        at_payment.as_guest()
        at_payment.deliver()
        page(at_payment)
        return page_costs(), order_costs()

    place(at_payment)
    with_question, first = costs()
    settings.WAGTAIL_REFERRALS_OSCAR = {**settings.WAGTAIL_REFERRALS_OSCAR, "ASK_WHO_SENT": False}
    without_question, second = costs()
    # In a savepoint of its own each.
    assert with_question - without_question == 3
    assert first - second == 3


# In the referrer's account


def test_who_was_named_answers_in_the_account(at_payment: Friend, lyon: Any, advocate: Any) -> None:
    say(at_payment, name="Camille Martin", town="Lyon")
    order = place(at_payment)
    rewards.sweep()
    camille = Customer(lyon).client
    request = AttributionRequest.objects.get()
    answer = reverse("referrals:answer", args=[request.pk])
    account = camille.get(reverse("referrals:account")).content.decode()
    assert answer in account
    assert str(order.number) not in account, "the number is the friend's"
    assert "zoe" not in account.lower()
    camille.post(answer, {"confirmed": "yes"})
    camille.post(answer, {"confirmed": "no"})
    assert Referral.objects.get().advocate == advocate
    assert answer not in camille.get(reverse("referrals:account")).content.decode()


def test_a_number_that_is_reported_is_answered_alike(
    friend: Friend, mat: Any, terms: Any, lyon: Any, advocate: Any, make_customer: Any
) -> None:
    friend.add("MAT")
    friend.as_guest()
    friend.deliver()
    order = place(friend)
    camille = Customer(lyon).client
    shown = []
    for number in (str(order.number), "999999"):
        response = camille.post(reverse("referrals:report"), {"reference": number}, follow=True)
        shown.append(response.content.decode().replace(number, "").count("Thank you. We look at it"))
        assert response.status_code == 200
    assert shown == [1, 1]
    staff = make_customer("staff@example.com")
    for request in AttributionRequest.objects.all():
        decide_request(request.pk, confirmed=False, actor=staff, note="for colleagues")
    text = camille.get(reverse("referrals:friends")).content.decode()
    assert text.count("We could not find that this order came by you") == 2
    assert "for colleagues" not in text


# System checks


def test_checks_say_where_nobody_would_be_asked(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = apps.get_app_config("checkout").payment_details_view
    monkeypatch.setattr(view, "template_name", "own.html")
    (tmp_path / "own.html").write_text("Mine")
    settings.TEMPLATES = with_options(django_settings.TEMPLATES, DIRS=[tmp_path])
    assert checks.check_question() == [], "the setting is off"
    settings.WAGTAIL_REFERRALS_OSCAR = {"ASK_WHO_SENT": True}
    (found,) = checks.check_question()
    assert (found.id, "nobody is asked" in found.msg) == ("oscar_integration.W016", True)
    for source in (
        "{% block payment_details %}{% endblock %}",
        "{% load referral_question %}{% referral_question %}",
    ):
        (tmp_path / "own.html").write_text(source)
        settings.TEMPLATES = with_options(django_settings.TEMPLATES, DIRS=[tmp_path])
        assert checks.check_question() == []


def test_checks_say_where_nothing_could_be_confirmed(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"ASK_WHO_SENT": True}
    assert checks.check_question() == []
    settings.WAGTAIL_REFERRALS = {"SHOP": "tests.oscar_integration.test_question.ShopWithoutOrders"}
    (found,) = checks.check_question()
    assert (found.id, "ShopWithoutOrders has no placed_order()" in found.msg) == (
        "oscar_integration.W017",
        True,
    )


class ShopWithoutOrders:
    """A shop that was written before there were requests."""


def test_addresses_that_lead_past_the_question_are_said(
    asking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = apps.get_app_config("checkout")
    assert not any("asked who sent" in found.msg for found in checks.check_served_views())
    monkeypatch.setattr(
        config, "payment_details_view", extend(config.payment_details_view, ReferralQuestionMixin)
    )
    assert checks.check_served_views() == []
    assert checks.check_payment_view() == [], "the question charges nothing"
    monkeypatch.setattr("django.conf.settings.ROOT_URLCONF", "example_site.urls")
    clear_url_caches()
    found = checks.check_served_views()
    clear_url_caches()
    assert any("nobody is asked who sent them" in each.msg for each in found)


# Staff, with Oscar's orders


def test_an_order_that_a_referrer_reports(
    friend: Friend, mat: Any, terms: Any, lyon: Any, advocate: Any, make_customer: Any, strap: Any
) -> None:
    friend.add("MAT")
    friend.as_guest()
    friend.deliver()
    order = place(friend)
    request = report_order(advocate, f"#{order.number}")
    referral = decide_request(request.pk, confirmed=True, actor=make_customer("staff@example.com"))
    assert referral is not None
    purchase = Purchase.objects.get()
    assert (purchase.referral, purchase.eligible, purchase.was_customer) == (
        referral,
        Decimal("100.00"),
        False,
    )
    assert purchase.lines[0]["upc"] == "MAT"


# Who is meant


@pytest.mark.parametrize(
    ("name", "town", "found"),
    [
        ("Hélène Dupont-Roux", "Saint-Étienne", True),
        ("helene dupont roux", "saint etienne", True),
        ("ROUX Dupont HELENE", "SAINT ÉTIENNE", True),
        ("He\u0301le\u0300ne Dupont-Roux", "Saint-Etienne", True),
        ("Hélène Dupont", "Saint-Étienne", False),
        ("Hélène Dupont-Roux", "Étienne", False),
        ("Hélène Dupont-Roux", ".*", False),
        ("Hélène Dupont-Roux", "", False),
        ("", "Saint-Étienne", False),
    ],
)
def test_names_as_people_write_them(
    make_customer: Any, france: Any, name: str, town: str, found: bool
) -> None:
    helene = make_customer("helene@example.com", first_name="Hélène", last_name="Dupont-Roux")
    factories.UserAddressFactory(user=helene, line4="Saint-Étienne", country=france)
    assert named.people_named(name, town) == ([helene.pk] if found else [])


def test_other_alphabets(make_customer: Any, france: Any) -> None:
    for email, first, last, town in (
        ("a@example.com", "Ελένη", "Παπαδοπούλου", "Αθήνα"),
        ("b@example.com", "Алёна", "Иванова", "Нижний Новгород"),
        ("c@example.com", "太郎", "山田", "東京"),
    ):
        user = make_customer(email, first_name=first, last_name=last)
        factories.UserAddressFactory(user=user, line4=town, country=france)
        assert named.people_named(f"{last.upper()} {first}", town.upper()) == [user.pk]
    assert len(named.people_named("ΕΛΕΝΗ ΠΑΠΑΔΟΠΟΥΛΟΥ", "ΑΘΗΝΑ")) == 1


def test_an_account_without_a_name_is_known_by_its_address(make_customer: Any, france: Any) -> None:
    """Oscar asks for no name where one registers. What an account says of itself comes first."""
    nameless, other = make_customer("a@example.com"), make_customer("b@example.com", first_name="Zoé")
    for user in (nameless, other):
        factories.UserAddressFactory(
            user=user, first_name="Léa", last_name="Lang", line4="Nantes", country=france
        )
    assert named.people_named("Lea Lang", "Nantes") == [nameless.pk]


def test_two_with_one_name_are_two(make_customer: Any, france: Any) -> None:
    both = [make_customer(f"{n}@example.com", first_name="Léa", last_name="Lang") for n in "ab"]
    for user in both:
        for street in ("1", "2"):
            factories.UserAddressFactory(user=user, line1=street, line4="Nantes", country=france)
    assert named.people_named("Lea Lang", "Nantes") == [user.pk for user in both]
