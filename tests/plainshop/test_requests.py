""" "Did a friend send you?" and "my friend ordered, but I don't see it": who decides, and what never happens."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.books import assert_audit_clean
from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop, place_order
from tests.plainshop.test_chain import DAY, friend_orders, story
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import adopt_guest, advocate_for, advocate_for_guest
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import publish_terms
from wagtail_referrals.programs.models import Budget, Program, Terms
from wagtail_referrals.referrals import (
    FOR_STAFF,
    RequestError,
    answer_request,
    candidates,
    decide_request,
    name_friend,
    named_friend,
    note_order,
    record_purchase,
    report_order,
    request_problem,
    requests,
    requests_of,
    unname_friend,
)
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral, TimelineEvent
from wagtail_referrals.referrals.timeline import event_words
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking import link_basket
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def staff(make_user):
    return make_user("staff")


@pytest.fixture
def lyon(camille, make_program, now, advocate):
    """Camille Martin, who refers, lives in Lyon: the shop knows it by an order of hers."""
    make_program()
    return settle_down(camille, "Martin", now)


def settle_down(user, last_name, now, town="12 rue Longue, Lyon"):
    user.last_name = last_name
    user.save()
    Order.objects.create(
        number=f"home-{user.pk}",
        user=user,
        email=user.email,
        address=town,
        goods=10,
        placed_at=now - 900 * DAY,
    )
    return user


def says(basket, now, *, user=None, name="Camille Martin", town="Lyon", number="7", **values):
    """Somebody orders without an invitation, and says at the checkout who sent them."""
    made = basket(user)
    reference = str(made.pk)
    name_friend(basket_reference=reference, name=name, town=town, user=user, now=now)
    values = {"email": "lea@example.com", "goods": Decimal("100.00")} | values
    order = place_order(made, number=number, now=now + MINUTE, **values)
    note_order(number, basket_reference=reference, user=user)
    rewards.sweep(now=now + 2 * MINUTE)
    return order


def waiting_for_staff() -> list[int]:
    return list(AttributionRequest.objects.filter(FOR_STAFF).values_list("pk", flat=True))


def the_request(**values) -> AttributionRequest:
    return AttributionRequest.objects.get(**values)


def deliver(order, moment):
    Order.objects.filter(pk=order.pk).update(paid_at=moment, shipped_at=moment)


# Named by the friend


def test_who_is_named_is_asked_and_paid_once(lyon, advocate, basket, make_user, now):
    lea = make_user("lea")
    order = says(basket, now, user=lea)
    assert the_request().advocate == advocate
    assert Claim.objects.count() == Purchase.objects.count() == 0, "nobody has said yes"
    [asked] = requests_of(advocate)
    assert (asked.needs_answer, asked.reference, asked.friend) == (True, "", "L…")
    assert waiting_for_staff() == []

    answer_request(asked.pk, advocate, True, now=now + DAY)
    claim = Claim.objects.get()
    assert (claim.source, claim.created_at, claim.state, claim.user) == ("named", now, "used", lea)
    referral = Referral.objects.get()
    assert (referral.advocate, referral.friend, referral.purchases.get().reference) == (advocate, lea, "7")
    assert the_request().referral == referral
    deliver(order, now + DAY)
    for day in (1, 15, 16, 17):
        rewards.sweep(now=now + day * DAY)
    assert credit.available(lyon, "EUR") == Decimal("15.00")
    assert not DiscountGrant.objects.exists(), "the order was placed without the friend's discount"
    text = "\n".join(story(referral))
    assert "came by what they said at the checkout" in text
    assert "It was confirmed that order 7 came by the referrer." in text
    assert requests_of(advocate) == []
    with pytest.raises(RequestError, match="answered already"):
        answer_request(asked.pk, advocate, True)
    assert Referral.objects.count() == 1


def test_a_cancelled_order_brings_no_discount_either(lyon, advocate, basket, now):
    order = says(basket, now)
    answer_request(the_request().pk, advocate, True, now=now + DAY)
    Order.objects.filter(pk=order.pk).update(cancelled=True)
    rewards.sweep(now=now + 2 * DAY)
    assert Referral.objects.get().state == "waiting_order"
    assert not DiscountGrant.objects.exists()
    assert credit.available(lyon, "EUR") == 0


def test_who_says_no_ends_it(lyon, advocate, basket, now):
    says(basket, now)
    answer_request(the_request().pk, advocate, False, now=now + DAY)
    request = the_request()
    assert (request.state, request.reason, request.given_name, request.given_town) == (
        "refused",
        "denied",
        "",
        "",
    )
    with pytest.raises(RequestError):
        answer_request(request.pk, advocate, True)
    assert not Claim.objects.exists()


def test_nobody_answers_for_somebody_else(lyon, advocate, basket, make_user, now):
    says(basket, now)
    other = advocate_for(make_user("other"))
    with pytest.raises(RequestError) as theirs:
        answer_request(the_request().pk, other, True)
    with pytest.raises(RequestError) as none:
        answer_request(10**9, other, True)
    assert str(theirs.value) == str(none.value), "the answer does not say whether there is such a question"
    assert the_request().state == "waiting"


@pytest.mark.parametrize("second_refers", [True, False])
def test_a_name_that_means_two_is_left_to_staff(lyon, advocate, basket, make_user, staff, now, second_refers):
    namesake = settle_down(make_user("cam2"), "Martin", now)
    namesake.first_name = "Camille"
    namesake.save()
    if second_refers:
        advocate_for(namesake)
    says(basket, now)
    request = the_request()
    assert request.advocate is None
    assert waiting_for_staff() == [request.pk]
    assert requests_of(advocate) == []
    found = candidates(request)
    assert [each.user for each in found] == ([lyon, namesake] if second_refers else [lyon])
    with pytest.raises(RequestError, match="Say who referred"):
        decide_request(request.pk, confirmed=True, actor=staff)
    referral = decide_request(request.pk, confirmed=True, actor=staff, advocate=advocate, now=now + DAY)
    assert (referral.advocate, the_request().actor) == (advocate, staff)


@pytest.mark.parametrize(
    ("name", "town"), [("Camille Martin", "Paris"), ("Chloé Martin", "Lyon"), ("'; --", "\0Lyon\n")]
)
def test_who_is_unknown_is_left_to_staff(lyon, advocate, basket, now, name, town):
    says(basket, now, name=name, town=town)
    assert waiting_for_staff() == [the_request().pk]
    assert candidates(the_request()) == []


def test_who_names_themselves_is_not_asked(lyon, advocate, basket, staff, now):
    says(basket, now, user=lyon, email=lyon.email)
    assert the_request().advocate is None
    with pytest.raises(RequestError, match="placed this order themselves"):
        decide_request(the_request().pk, confirmed=True, actor=staff, advocate=advocate)


def test_one_who_does_not_refer_at_the_moment_is_not_asked(lyon, advocate, basket, now):
    Advocate.objects.update(state="paused")
    says(basket, now)
    assert the_request().advocate is None


def test_the_latest_word_counts_until_the_order_is_placed(lyon, advocate, basket, now):
    made = str(basket().pk)
    for name in ("Nobody Known", "Camille Martin"):
        name_friend(basket_reference=made, name=name, town="Lyon", now=now)
    assert named_friend(made).given_name == "Camille Martin"
    unname_friend(made)
    assert named_friend(made) is None
    name_friend(basket_reference=made, name="Camille Martin", town="Lyon", now=now)
    assert note_order("7", basket_reference=made)
    name_friend(basket_reference=made, name="Somebody Else", town="Lyon", now=now)
    unname_friend(made)
    assert the_request().given_name == "Camille Martin"
    assert named_friend(made) is None


@pytest.mark.parametrize(("name", "town"), [("", "Lyon"), ("Camille", " "), ("\0", "\n")])
def test_name_and_town_are_needed(db, name, town):
    with pytest.raises(RequestError):
        name_friend(basket_reference="1", name=name, town=town)


def test_nobody_is_named_without_a_basket(db):
    with pytest.raises(ValueError, match="basket"):
        name_friend(basket_reference="", name="Camille Martin", town="Lyon")
    assert named_friend("") is None


def test_naming_somebody_asks_the_same_of_the_database_whoever_it_is(lyon, basket, now):
    """No answer, and no time that it takes, tells whether there is such a person."""
    statements = []
    for name in ("Camille Martin", "Nobody Known"):
        made = str(basket().pk)
        with CaptureQueriesContext(connection) as captured:
            name_friend(basket_reference=made, name=name, town="Lyon", now=now)
        statements.append([query["sql"].split()[:3] for query in captured.captured_queries])
        assert all("attributionrequest" in query["sql"] for query in captured.captured_queries)
    assert statements[0] == statements[1]


def test_an_order_that_came_by_a_link_after_all_is_not_asked_about(lyon, advocate, basket, make_user, now):
    other = advocate_for(make_user("other"))
    order = friend_orders(other, Terms.objects.get(), basket, now, number="7")
    AttributionRequest.objects.create(
        kind="named",
        basket_reference="b",
        reference="7",
        given_name="Camille Martin",
        given_town="Lyon",
        created_at=now,
    )
    rewards.sweep(now=now + MINUTE)
    assert (the_request().state, the_request().reason) == ("refused", "other_referral")
    assert Purchase.objects.get(reference=order.number).referral.advocate == other


# Reported by the referrer


def test_what_is_reported_is_for_staff_to_decide(lyon, advocate, basket, staff, now):
    order = place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now + MINUTE)
    request = report_order(advocate, " #7 ", now=now + DAY)
    assert request.reference == "7"
    assert waiting_for_staff() == [request.pk]
    rewards.sweep(now=now + DAY)
    [shown] = requests_of(advocate)
    assert (shown.needs_answer, shown.reference, shown.state, shown.why) == (False, "7", "waiting", "")
    with pytest.raises(RequestError):
        answer_request(request.pk, advocate, True)
    assert not Claim.objects.exists()

    referral = decide_request(request.pk, confirmed=True, actor=staff, note="Lea rang", now=now + 2 * DAY)
    claim = referral.claim
    assert (claim.source, claim.created_at) == ("reported", order.placed_at)
    deliver(order, now + DAY)
    rewards.sweep(now=now + 2 * DAY)
    rewards.sweep(now=now + 20 * DAY)
    assert credit.available(lyon, "EUR") == Decimal("15.00")
    [shown] = requests_of(advocate)
    assert shown.state == "confirmed"
    assert TimelineEvent.objects.get(kind="request_confirmed").actor == staff
    with pytest.raises(RequestError, match="decided in the meantime"):
        decide_request(request.pk, confirmed=False, actor=staff)


def test_no_answer_tells_whether_an_order_exists(lyon, advocate, basket, make_user, staff, now):
    """Not when it is reported, and not when it is refused: neither its state nor whose it is."""
    place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now)
    friend_orders(advocate_for(make_user("other")), Terms.objects.get(), basket, now, number="8")
    cancelled = place_order(basket(), number="9", goods=Decimal(100), email="z@example.com", now=now)
    Order.objects.filter(pk=cancelled.pk).update(cancelled=True)
    statements, shown = [], []
    for number in ("7", "8", "9", "nonsense"):
        with CaptureQueriesContext(connection) as captured:
            request = report_order(advocate, number, now=now + DAY)
        statements.append(len(captured))
        rewards.sweep(now=now + DAY)
        assert the_request(pk=request.pk).state == "waiting"
        decide_request(request.pk, confirmed=False, actor=staff, note="for colleagues", now=now + DAY)
        row = next(each for each in requests_of(advocate) if each.reference == number)
        shown.append((row.state, row.state_words, row.why))
        assert row.why == "We could not find that this order came by you"
    assert len(set(statements)) == len(set(shown)) == 1


def test_only_five_may_wait(lyon, advocate, now, staff):
    for number in range(5):
        report_order(advocate, str(number), now=now)
    assert report_order(advocate, "3", now=now).reference == "3", "twice is once"
    with pytest.raises(RequestError, match="still looking"):
        report_order(advocate, "6", now=now)
    decide_request(the_request(reference="0").pk, confirmed=False, actor=staff)
    report_order(advocate, "6", now=now)


@pytest.mark.parametrize("number", ["", "  ", "#", "\0", "9" * 65])
def test_a_number_that_cannot_be_one(advocate, number):
    with pytest.raises(RequestError):
        report_order(advocate, number)
    assert not AttributionRequest.objects.exists()


@pytest.mark.parametrize("state", ["paused", "blocked", "left"])
def test_who_cannot_refer_reports_nothing(advocate, state):
    Advocate.objects.update(state=state)
    with pytest.raises(RequestError, match="cannot refer"):
        report_order(advocate, "7")


# What is never confirmed


@pytest.fixture
def reported(lyon, advocate, basket, now):
    def make(order_at, number="7", **values):
        values = {"email": "lea@example.com", "user": None} | values
        user = values.pop("user")
        order = place_order(basket(user), number=number, goods=Decimal(100), now=order_at, **values)
        return order, report_order(advocate, number, now=order_at + DAY)

    return make


def refused_as(request, staff, words, **values):
    with pytest.raises(RequestError, match=words):
        decide_request(request.pk, confirmed=True, actor=staff, **values)
    request.refresh_from_db()
    assert (request.state, request.referral) == ("waiting", None), "nothing has changed"
    assert not Claim.objects.filter(source__in=("named", "reported")).exists()
    assert not Budget.objects.exclude(held=0).exists()


def test_no_order_from_before_the_first_terms(reported, staff, now):
    _order, request = reported(now - timedelta(seconds=1))
    assert request_problem(request) == "not_offered"
    refused_as(request, staff, "no program to offer")
    _order, request = reported(now, number="8")
    assert request_problem(request) == ""


@pytest.mark.parametrize("closed_by", ["hand", "date"])
def test_no_order_from_a_time_when_the_program_was_closed(reported, staff, now, closed_by):
    """Open again when it is reported, by the same terms. Nobody was sent by anybody meanwhile."""
    program = Program.objects.get()
    with time_machine.travel(now, tick=False):
        # Whether anything takes it off at its date is the site's to see to.
        program.expire_at = now + 2 * DAY if closed_by == "date" else None
        program.save_revision().publish()
    if closed_by == "hand":
        with time_machine.travel(now + 2 * DAY, tick=False):
            program.unpublish()
    with time_machine.travel(now + 6 * DAY, tick=False):
        program.expire_at = None
        program.save_revision().publish()
    assert Terms.objects.count() == 1
    _order, request = reported(now + 4 * DAY)
    assert request_problem(request) == "not_offered"
    refused_as(request, staff, "no program to offer")
    for number, when in {"8": now + DAY, "9": now + 7 * DAY}.items():
        _order, request = reported(when, number=number, email=f"{number}@example.com")
        assert request_problem(request) == ""


def test_no_order_that_is_unknown_or_cancelled(reported, staff, advocate, now):
    order, request = reported(now)
    Order.objects.filter(pk=order.pk).update(cancelled=True)
    refused_as(request, staff, "was cancelled")
    refused_as(report_order(advocate, "unknown", now=now), staff, "knows no such order")


def test_no_order_that_is_somebody_elses(lyon, advocate, basket, make_user, staff, now):
    other = advocate_for(make_user("other"))
    friend_orders(other, Terms.objects.get(), basket, now, number="7")
    request = report_order(advocate, "7", now=now + DAY)
    before = list(Purchase.objects.values("referral", "reference"))
    with pytest.raises(RequestError, match="another invitation"):
        decide_request(request.pk, confirmed=True, actor=staff)
    assert list(Purchase.objects.values("referral", "reference")) == before
    assert Referral.objects.get().advocate == other


@pytest.mark.parametrize("guest", [True, False])
def test_no_order_of_somebody_elses_friend(lyon, advocate, basket, make_user, staff, now, guest):
    """They came by another's link later: who they are friends of does not change because of an order before that."""
    lea = None if guest else make_user("lea")
    order = place_order(basket(lea), number="6", goods=Decimal(100), email="lea@example.com", now=now)
    other = advocate_for(make_user("other"))
    friend_orders(other, Terms.objects.get(), basket, now + DAY, number="7", user=lea)
    request = report_order(advocate, order.number, now=now + DAY)
    with pytest.raises(RequestError, match="another invitation"):
        decide_request(request.pk, confirmed=True, actor=staff)
    assert Referral.objects.get().advocate == other
    assert not Purchase.objects.filter(reference="6").exists()


def test_no_order_that_a_shop_forgot_to_note_as_another_ones(
    lyon, advocate, basket, make_program, make_user, staff, now
):
    """Their friend in another program, before the order: the shop did not tell of it, and may still do so."""
    _, second, _ = make_program()
    lea, other = make_user("lea"), advocate_for(make_user("other"))
    friend_orders(other, second, basket, now, number="6", user=lea)
    Order.objects.create(number="7", user=lea, email=lea.email, goods=100, placed_at=now + DAY)
    request = report_order(advocate, "7", now=now + DAY)
    with pytest.raises(RequestError, match="another invitation"):
        decide_request(request.pk, confirmed=True, actor=staff, now=now + DAY)
    assert Referral.objects.get().advocate == other


@pytest.mark.parametrize("by", ["basket", "account"])
def test_no_order_that_anothers_invitation_waits_for(lyon, advocate, basket, make_user, staff, now, by):
    """It was not given the order because something failed, and the shop makes up for that later."""
    lea = make_user("lea")
    made = basket(lea if by == "account" else None)
    claim = Claim.objects.create(
        advocate=advocate_for(make_user("other")),
        terms=Terms.objects.get(),
        source="link",
        user=lea if by == "account" else None,
        created_at=now,
        expires_at=now + DAY,
    )
    if by == "basket":
        link_basket(claim, str(made.pk))
    name_friend(basket_reference=str(made.pk), name="Camille Martin", town="Lyon", now=now)
    Order.objects.create(
        number="7", user=made.user, email="lea@example.com", goods=100, placed_at=now + MINUTE
    )
    note_order("7", basket_reference=str(made.pk), user=made.user)
    request = the_request()
    with pytest.raises(RequestError, match="another invitation"):
        decide_request(request.pk, confirmed=True, actor=staff, advocate=advocate, now=now + MINUTE)
    Claim.objects.update(state="replaced")
    assert decide_request(request.pk, confirmed=True, actor=staff, advocate=advocate, now=now + MINUTE)


def test_an_order_that_is_noted_as_another_ones_at_this_moment(
    lyon, advocate, basket, make_user, staff, now, monkeypatch
):
    """After it was looked at, and before it was written: nothing stays of the attempt."""
    other = advocate_for(make_user("other"))
    place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now)
    request = report_order(advocate, "7", now=now + DAY)
    claim = Claim.objects.create(
        advocate=other, terms=Terms.objects.get(), source="link", created_at=now, expires_at=now + DAY
    )

    def meanwhile(user, email):
        found = PlainShop().placed_order("7", ())
        record_purchase(found.snapshot, claim=claim, user=user, email=email, now=now)
        return []

    monkeypatch.setattr(requests, "referrals_of", meanwhile)
    with pytest.raises(RequestError, match="another invitation"):
        decide_request(request.pk, confirmed=True, actor=staff, now=now + DAY)
    # What the other process wrote was, here, in the same transaction: it went along.
    assert Claim.objects.get() == claim
    assert the_request().state == "waiting"


def test_what_two_say_of_one_order_is_confirmed_for_one(lyon, advocate, basket, make_user, staff, now):
    other = advocate_for(make_user("other"))
    place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now)
    mine, theirs = (report_order(each, "7", now=now + DAY) for each in (advocate, other))
    decide_request(mine.pk, confirmed=True, actor=staff)
    with pytest.raises(RequestError, match="another invitation"):
        decide_request(theirs.pk, confirmed=True, actor=staff)
    with pytest.raises(RequestError, match="Only the referrer"):
        decide_request(theirs.pk, confirmed=True, actor=staff, advocate=advocate)
    assert Referral.objects.get().advocate == advocate


def test_a_used_up_budget_is_used_up(lyon, advocate, basket, staff, now, make_program):
    Program.objects.all().delete()
    make_program(budget_count=1)
    place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now)
    place_order(basket(), number="8", goods=Decimal(100), email="mia@example.com", now=now)
    first, second = (report_order(advocate, number, now=now + DAY) for number in "78")
    decide_request(first.pk, confirmed=True, actor=staff, now=now + DAY)
    with pytest.raises(RequestError, match=r"no program to offer|budget is used up"):
        decide_request(second.pk, confirmed=True, actor=staff, now=now + DAY)
    assert Referral.objects.count() == 1


def test_the_budget_holds_nothing_for_a_discount_that_nobody_gets(
    lyon, advocate, basket, staff, now, make_program
):
    Program.objects.all().delete()
    rules = [
        {"side": "friend", "trigger": "arrives", "kind": "discount_fixed", "amounts": {"EUR": "5.00"}},
        {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}},
    ]
    make_program(rules, budget_amounts={"EUR": "100.00"})
    order = place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now)
    decide_request(report_order(advocate, "7", now=now).pk, confirmed=True, actor=staff, now=now + MINUTE)
    rewards.sweep(now=now + DAY)
    assert Budget.objects.get().held == Decimal("15.00")
    deliver(order, now + DAY)
    rewards.sweep(now=now + 16 * DAY)
    assert (Budget.objects.get().held, Budget.objects.get().spent) == (Decimal(0), Decimal("15.00"))
    assert_audit_clean(now=now + 16 * DAY)


def test_checks_judge_as_always(reported, staff, lyon, now):
    """A customer who had ordered before; an order to the referrer's own home; the referrer's own address."""
    _order, request = reported(now + DAY, number="7", email="old@example.com")
    Order.objects.create(number="0", email="old@example.com", goods=1, placed_at=now - DAY)
    decide_request(request.pk, confirmed=True, actor=staff, now=now + 2 * DAY)
    order, request = reported(now + DAY, number="8", email="mia@example.com", address="12 rue Longue, Lyon")
    decide_request(request.pk, confirmed=True, actor=staff, now=now + 2 * DAY)
    _order, request = reported(now + DAY, number="9", email="Camille+x@example.com")
    decide_request(request.pk, confirmed=True, actor=staff, now=now + 2 * DAY)
    rewards.sweep(now=now + 2 * DAY)
    states = dict(Purchase.objects.values_list("reference", "referral__reason"))
    assert states == {"7": "existing_customer", "8": "same_address", "9": "own_link"}
    deliver(order, now + 2 * DAY)
    rewards.sweep(now=now + 30 * DAY)
    assert credit.available(lyon, "EUR") == 0


def test_an_order_long_after_it_was_said_is_too_late(lyon, advocate, basket, staff, now):
    made = basket()
    name_friend(basket_reference=str(made.pk), name="Camille Martin", town="Lyon", now=now)
    place_order(made, number="7", goods=Decimal(100), email="lea@example.com", now=now + 365 * DAY)
    note_order("7", basket_reference=str(made.pk))
    refused_as(the_request(), staff, "days to order", advocate=advocate)


def test_the_terms_are_those_of_the_moment(lyon, advocate, basket, staff, now):
    """The editor gives more since: who was sent before that, was sent for what was promised then."""
    place_order(basket(), number="7", goods=Decimal(100), email="lea@example.com", now=now + MINUTE)
    program = Program.objects.get()
    rule = program.rules.get(side="advocate")
    rule.amounts = {"EUR": "99.00"}
    rule.save()
    newer = publish_terms(Program.objects.get(), now=now + DAY)
    request = report_order(advocate, "7", now=now + 2 * DAY)
    referral = decide_request(request.pk, confirmed=True, actor=staff, now=now + 2 * DAY)
    assert referral.terms.number == newer.number - 1


# The end


def test_what_nobody_decides_lapses_and_is_forgotten(lyon, advocate, basket, now):
    says(basket, now, name="Nobody Known")
    report_order(advocate, "1", now=now)
    name_friend(basket_reference="never-ordered", name="A B", town="C", now=now)
    rewards.sweep(now=now + 30 * DAY)
    assert set(AttributionRequest.objects.values_list("state", flat=True)) == {"waiting"}
    rewards.sweep(now=now + 31 * DAY)
    assert not AttributionRequest.objects.filter(basket_reference="never-ordered").exists()
    rows = AttributionRequest.objects.values_list("state", "reason", "given_name", "given_town")
    assert list(rows) == [("lapsed", "unanswered", "", "")] * 2


def test_a_person_who_is_deleted_takes_along_what_they_said(lyon, advocate, basket, make_user, staff, now):
    lea = make_user("lea")
    says(basket, now, user=lea, name="Nobody Known")
    report_order(advocate, "1", now=now)
    decided = report_order(advocate, "2", now=now)
    decide_request(decided.pk, confirmed=False, actor=staff, note="Camille rang us")
    lea.delete()
    assert not AttributionRequest.objects.filter(kind="named").exists()
    lyon.delete()
    row = the_request()
    assert (row.reference, row.state, row.note) == ("2", "refused", "")
    staff.delete()
    assert the_request().actor is None


def test_an_order_of_somebody_deleted_is_nobodys(lyon, advocate, basket, make_user, staff, now):
    """It may be the referrer's own, by an account of before."""
    lea = make_user("lea")
    place_order(basket(lea), number="7", email=lea.email, goods=Decimal(100), now=now)
    report_order(advocate, "7", now=now + DAY)
    assert request_problem(the_request()) == ""
    lea.delete()
    Order.objects.filter(number="7").update(email="")
    assert request_problem(the_request()) == "no_customer"
    with pytest.raises(RequestError, match="no longer exists"):
        decide_request(the_request().pk, confirmed=True, actor=staff, now=now + DAY)
    assert Referral.objects.count() == Claim.objects.count() == 0


def test_what_waits_for_a_referrer_stays_theirs_with_what_they_did_as_a_guest(lyon, advocate, basket, now):
    says(basket, now)
    report_order(advocate, "8", now=now)
    guest = advocate_for_guest(lyon.email)
    assert adopt_guest(lyon) == guest != advocate
    assert {request.advocate for request in AttributionRequest.objects.all()} == {guest}
    [asked] = [request for request in requests_of(guest) if request.needs_answer]
    answer_request(asked.pk, guest, True, now=now + DAY)
    assert Purchase.objects.get(reference="7").referral.advocate == guest
    events = TimelineEvent.objects.filter(advocate=guest).values_list("kind", flat=True)
    assert {"friend_named", "order_reported"} <= set(events)


def test_words_say_what_happened_without_names(lyon, advocate, basket, make_user, now):
    says(basket, now, user=make_user("lea"))
    answer_request(the_request().pk, advocate, False)
    said = [event_words(event) for event in TimelineEvent.objects.filter(advocate=advocate).order_by("pk")]
    assert said == [
        "Somebody who ordered has named the referrer, who is asked whether that is so.",
        "It was not confirmed that order 7 came by the referrer: the person who was named says that they did not "
        "send the friend.",
    ]


def test_a_shop_that_cannot_say_leaves_all_to_staff(lyon, advocate, basket, staff, now, monkeypatch):
    monkeypatch.delattr(PlainShop, "people_named")
    says(basket, now)
    assert waiting_for_staff() == [the_request().pk]
    monkeypatch.delattr(PlainShop, "placed_order")
    refused_as(the_request(), staff, "knows no such order", advocate=advocate)
