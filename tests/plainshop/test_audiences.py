"""Programs for some customers only: which one a link brings, that a promise stays, and what it costs to ask."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from decimal import Decimal
from types import ModuleType

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db.models import ProtectedError, Q
from django.db.models.expressions import RawSQL
from django.test import Client
from django.utils import translation

from tests.audiences import BUYERS, NEVER_BOUGHT, make_audience, who
from tests.environment import ROOT
from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop, place_order
from wagtail_referrals import credit, people, programs, rewards
from wagtail_referrals.people import advocate_for, advocate_for_guest
from wagtail_referrals.programs import CustomerFact, customer_facts, parse, pick_terms, sentence
from wagtail_referrals.programs.models import Audience, AudienceRule, Program, Terms
from wagtail_referrals.referrals.customers import BoughtFrom
from wagtail_referrals.tracking.models import Claim, Visit

DAY = timedelta(days=1)


@pytest.fixture
def bought(now):
    """Makes somebody a customer with so much spent."""

    def order(user, goods="100", **values):
        number = f"B{Order.objects.count() + 1}"
        return Order.objects.create(
            number=number, user=user, email=user.email, goods=Decimal(goods), placed_at=now - DAY, **values
        )

    return order


@pytest.fixture
def for_buyers(make_program):
    """The program of buyers before the one for everybody; their terms."""
    _, everybody, _ = make_program(precedence=20)
    _, buyers, _ = make_program(precedence=10, audience=make_audience(BUYERS))
    return buyers, everybody


def picked(user, now=None):
    offer = pick_terms(site_id=None, user_id=user.pk if user else None, now=now)
    return offer.terms_id if offer else None


def test_the_first_program_whose_audience_has_the_advocate_is_offered(for_buyers, camille, make_user, bought):
    buyers, everybody = for_buyers
    bought(camille)
    assert picked(camille) == buyers.pk
    assert picked(make_user("lea")) == everybody.pk
    assert picked(None) == everybody.pk, "nobody in particular is offered what is for everybody"


def test_the_editors_order_decides_where_both_match(for_buyers, make_program, camille, bought):
    bought(camille)
    Program.objects.filter(audience=None).update(precedence=5)
    programs.forget_open_terms()
    assert picked(camille) == for_buyers[1].pk


def test_without_a_program_for_them_a_link_promises_nothing(make_program, advocate, camille, now):
    make_program(audience=make_audience(BUYERS))
    assert picked(camille) is None
    link = people.share_path(people.code_of(advocate))
    assert Client().get(link).status_code == 200
    assert Visit.objects.get().terms is None


def test_facts_are_those_of_the_shop(camille, make_user, bought):
    lea = make_user("lea")
    bought(camille, "100", shipping=5, discount=10, refunded=20)
    bought(camille, "900", cancelled=True)
    bought(lea, "30")
    assert who(BUYERS) == {"Camille", "Lea"}
    assert who(("orders", {"orders_at_least": 2})) == set()
    assert who(("spent", {"spent_how": "at_least", "spent_amounts": {"EUR": "75.00"}})) == {"Camille"}
    assert who(("spent", {"spent_how": "at_least", "spent_amounts": {"EUR": "75.01"}})) == set()
    assert who(("spent", {"spent_how": "at_least", "spent_amounts": {"USD": "1.00"}})) == set()
    assert not BoughtFrom().option_fields()["range"].choices[1:], "this shop has no ranges"
    assert who(("bought_from", {"range": "1"})) == set()


def test_a_guest_is_in_no_audience_with_rules(for_buyers, make_program, db):
    guest = advocate_for_guest("guest@example.com")
    assert pick_terms(site_id=None, user_id=guest.user_id).terms_id == for_buyers[1].pk
    Program.objects.filter(audience=None).update(audience=make_audience(name="All"))
    programs.forget_open_terms()
    offer = pick_terms(site_id=None, user_id=guest.user_id)
    assert offer.audience.is_everybody and offer.program_key == str(for_buyers[1].program_key)


def visit_of(advocate):
    Client().get(people.share_path(people.code_of(advocate)))
    return Visit.objects.latest("pk")


def test_who_leaves_the_audience_keeps_what_their_friend_was_promised(
    for_buyers, advocate, camille, bought, basket, make_user
):
    """Judged when the friend arrives: not when they order, and not when the reward is due."""
    buyers, everybody = for_buyers
    order = bought(camille)
    came = visit_of(advocate)
    assert came.terms_id == buyers.pk
    now = came.created_at
    # Before the friend has committed to anything.
    order.cancelled = True
    order.save()
    cache.clear()
    made = basket(make_user("lea"))
    claim = rewards.commit(visit=came, basket_reference=str(made.pk), now=now)
    assert claim.terms_id == buyers.pk and claim.discounts.get().state == "issued"
    Audience.objects.update(live=False)
    placed = place_order(made, number="1", goods=Decimal(100), email="lea@example.com", now=now)
    placed.paid_at = placed.shipped_at = now
    placed.save()
    rewards.check_soon("1")
    rewards.sweep(now=now + 15 * DAY)
    assert placed.discount == 10
    assert credit.available(camille, "EUR") == Decimal("15.00")
    # Who comes now is promised what the advocate may offer now.
    assert visit_of(advocate).terms_id == everybody.pk


def test_a_typed_code_is_of_the_one_whose_code_it_is(
    for_buyers, advocate, camille, make_user, bought, basket, now
):
    buyers, everybody = for_buyers
    bought(camille)
    other = advocate_for(make_user("noe"))
    for holder, expected in ((advocate, buyers), (other, everybody)):
        made = basket()
        typed = rewards.typed_code(people.code_of(holder), basket_reference=str(made.pk), now=now)
        assert typed.outcome == "accepted" and typed.claim.terms == expected
    assert Claim.objects.count() == 2


def test_what_counts_is_what_was_published(make_program, camille, bought):
    """A draft changes nothing; its publication counts at once, in spite of what was cached."""
    bought(camille)
    audience = make_audience(BUYERS)
    make_program(audience=audience)
    assert picked(camille)
    draft = Audience.objects.get()
    draft.rules = [AudienceRule(fact="orders", options={"orders_at_least": 5})]
    revision = draft.save_revision()
    programs.forget_open_terms()
    assert picked(camille)
    revision.publish()
    assert picked(camille) is None
    Audience.objects.get().unpublish()
    assert picked(camille) is None


def test_nobody_is_in_an_audience_that_is_not_published(make_program, camille):
    make_program(audience=make_audience(live=False))
    assert picked(camille) is None, "not even without rules"
    closed = programs.audience_data(Audience.objects.get())
    assert not programs.customers_in(closed).exists()


@pytest.mark.parametrize(
    "rule",
    [
        ("unheard_of", {}),
        ("orders", {}),
        ("orders", {"orders_at_least": 3, "orders_at_most": 1}),
        ("spent", {"spent_how": "less_than", "spent_amounts": {}}),
        ("last_order", {"last_order_how": "within"}),
        ("group", {}),
        ("language", {}),
        ("friend", {}),
    ],
)
def test_a_rule_that_is_not_sound_is_true_of_nobody(rule, camille, bought):
    bought(camille)
    assert who(rule) == set()
    assert who(BUYERS, rule) == set()
    assert who(BUYERS, rule, any_rule=True) == {"Camille"}


class Broken(CustomerFact):
    key = "broken"
    label = "broken"

    def words(self, options):
        return "is broken"

    def matching(self, options, asked):
        if options.get("in") == "sql":
            return Q(pk__in=RawSQL("SELECT nothing FROM nowhere", ()))
        raise RuntimeError("the shop does not answer")


@pytest.fixture
def own_facts(monkeypatch):
    """One that is broken, and the one of the how-to, as a shop would paste it."""
    page = (ROOT / "docs/how-to/audiences.md").read_text()
    code = dict(re.findall(r"```python\n# shop/(\w+)\.py\n(.*?)```", page, re.DOTALL))
    assert list(code) == ["facts", "apps"]
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    for name, text in code.items():
        module = ModuleType(f"shop.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(text, f"audiences.md, {name}.py", "exec"), module.__dict__)
    sys.modules["shop.apps"].ShopConfig.ready(None)
    customer_facts.register(Broken())
    yield
    for key in ("broken", "since"):
        customer_facts.unregister(key)


def test_a_shop_registers_facts_of_its_own(own_facts, make_program, camille, make_user, now):
    lea = make_user("lea", date_joined=now - 100 * DAY)
    camille.date_joined = now - 10 * DAY
    camille.save()
    rule = ("since", {"since_months": 3})
    _, terms, _ = make_program(audience=make_audience(rule))
    assert picked(lea, now=now) == terms.pk and picked(camille, now=now) is None
    assert who(rule, now=now) == {"Lea"} and who(("since", {}), now=now) == set()
    with translation.override("en"):
        words = programs.audience_words(programs.audience_data(Audience.objects.get()))
    assert words == "A customer who has been a customer for 3 months."


@pytest.mark.parametrize("where", ["python", "sql"])
def test_a_question_that_fails_breaks_nothing(own_facts, make_program, advocate, camille, where, caplog):
    make_program(precedence=1, audience=make_audience(("broken", {"in": where})))
    _, everybody, _ = make_program()
    # Also within a transaction, as at a checkout.
    assert picked(camille) == everybody.pk
    assert Client().get(people.share_path(people.code_of(advocate))).status_code == 200
    assert Visit.objects.get().terms == everybody
    assert "could not be found out" in caplog.text and "example.com" not in caplog.text


# What it costs


def test_without_audiences_nothing_is_asked(make_program, camille, django_assert_num_queries):
    make_program()
    make_audience(BUYERS)
    picked(camille)
    cache_keys = set(cache._cache)
    with django_assert_num_queries(0):
        picked(camille)
    assert set(cache._cache) == cache_keys and not any("audience" in key for key in cache_keys)


@pytest.mark.django_db(transaction=True)
def test_a_share_link_is_one_write_and_seldom_one_question(
    for_buyers, make_program, advocate, camille, bought, django_assert_num_queries
):
    bought(camille)
    link = people.share_path(people.code_of(advocate))
    Client().get(link)
    with django_assert_num_queries(1) as queries:
        Client().get(link)
    assert queries[0]["sql"].startswith("INSERT")
    make_program(precedence=1, audience=make_audience(NEVER_BOUGHT, name="New"))
    programs.open_terms(site_id=None)
    with django_assert_num_queries(2) as queries:
        Client().get(link)
    assert "INSERT" not in queries[0]["sql"]
    with django_assert_num_queries(1):
        Client().get(link)


def test_an_answer_is_believed_for_some_minutes_for_each_customer(
    for_buyers, camille, make_user, bought, django_assert_num_queries
):
    buyers, everybody = for_buyers
    lea = make_user("lea")
    assert picked(camille) == picked(lea) == everybody.pk
    bought(camille)
    with django_assert_num_queries(0):
        assert picked(camille) == everybody.pk
    cache.delete_many([key.split(":", 2)[2] for key in list(cache._cache) if ".audience." in key])
    assert picked(camille) == buyers.pk and picked(lea) == everybody.pk


# Words and what stays


def test_the_sentence_and_the_terms_name_the_audience(make_program):
    _, terms, data = make_program(audience=make_audience(BUYERS))
    assert sentence(data).startswith(
        "When one of your customers in “Members” refers a friend, the friend gets"
    )
    audience = Audience.objects.get()
    audience.name = "Friends of the house"
    audience.save()
    terms.refresh_from_db()
    assert parse(terms).audience == "Members"
    assert programs.publish_terms(Program.objects.get()).number == 2
    assert parse(Terms.objects.get(number=2)).audience == "Friends of the house"


def test_terms_without_an_audience_are_what_they_were(make_program):
    _, terms, data = make_program()
    assert "audience" not in terms.data and data.audience == ""
    assert sentence(data).startswith("When your customer refers a friend")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], "Every customer."),
        ([BUYERS], "A customer who has placed at least 1 order."),
        ([NEVER_BOUGHT], "A customer who has never placed an order."),
        (
            [
                ("orders", {"orders_at_least": 2, "orders_at_most": 4}),
                ("spent", {"spent_amounts": {"EUR": "100.00", "USD": "120.00"}}),
                ("friend", {"came": "invited"}),
            ],
            "A customer who has placed 2 to 4 orders, has spent at least €100.00 or $120.00 and came by a friend's "
            "invitation.",
        ),
        ([("unheard_of", {})], "A customer who meets a rule that is not complete."),
    ],
)
def test_an_audience_in_words(rules, words, db):
    audience = make_audience(*rules)
    with translation.override("en"):
        assert programs.audience_words(programs.audience_data(audience)) == words


def test_one_of_several_in_words(db):
    audience = make_audience(BUYERS, ("language", {"language": "fr"}), match="any")
    with translation.override("en"):
        words = programs.audience_words(programs.audience_data(audience))
    assert words == "A customer who has placed at least 1 order or reads this site in French."


def test_an_audience_in_use_stays(make_program, db):
    make_program(audience=make_audience(BUYERS))
    with pytest.raises(ProtectedError):
        Audience.objects.all().delete()


def test_an_old_version_of_a_program_opens_without_the_audience_that_is_gone(make_program, db):
    program, _, _ = make_program(audience=make_audience(BUYERS))
    revision = program.save_revision()
    program.audience = None
    program.save()
    Audience.objects.all().delete()
    assert revision.as_object().audience is None


def test_a_program_is_copied_with_its_audience(make_program, db):
    from wagtail_referrals.admin.programs import unsaved_copy

    program, _, _ = make_program(audience=make_audience(BUYERS))
    assert unsaved_copy(program).audience == program.audience


def test_the_port_says_so_of_one_customer(camille, make_user, bought):
    bought(camille)
    bought(make_user("lea"))
    asked = PlainShop().orders_of_customers(camille.pk)
    assert asked.orders.get().user == camille


def test_who_works_for_the_shop(make_user, now):
    works, by_group, customer = make_user("works"), make_user("editor"), make_user("customer")
    type(works).objects.filter(pk=works.pk).update(is_staff=True)
    editors = Group.objects.create(name="Those who write")
    editors.permissions.add(Permission.objects.get(codename="access_admin"))
    by_group.groups.add(editors)
    by_name = {works.first_name, by_group.first_name}
    assert who(("staff", {}), now=now) == by_name and customer.first_name not in by_name
    words = programs.audience_words(programs.audience_data(make_audience(("staff", {}))))
    assert words == "A customer who works for the shop."
