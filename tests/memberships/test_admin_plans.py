"""Plans in the admin: written in the form, refused in words, listed with who has them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import DraftStateMixin, RevisionMixin

from oscar_integration.memberships.admin.plan_form import in_words
from oscar_integration.memberships.kind import plan_options
from oscar_integration.memberships.models import Membership, Plan
from tests.admin.forms import values_of
from tests.admin.rows import make_program
from tests.memberships.rows import give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan
from tests.memberships.staff import PLANS, administrator, file_of, main_of, reader, rows_of, soup_of, words_of
from tests.oscar_integration.shopping import make_product
from wagtail_referrals.programs import publish_terms
from wagtail_referrals.programs.models import Program

pytestmark = pytest.mark.django_db

ADD = f"{PLANS}:add"


@pytest.fixture
def admin() -> Client:
    return administrator()


@pytest.fixture
def product() -> Any:
    return make_product("YOGA", "39.00", sent=False)


def form_of(client: Client, path: str = "") -> dict[str, Any]:
    return values_of(client.get(path or reverse(ADD)).content.decode())


def valid(client: Client, **values: Any) -> dict[str, Any]:
    """A monthly pass that is only given, and what the test says."""
    names = {"names-0-name": "Monthly pass", "names-1-name": "Pass au mois"}
    return form_of(client) | {"name": "Monthly", "slug": "monthly", "gift_only": "on"} | names | values


def sold(client: Client, product: Any, **values: Any) -> dict[str, Any]:
    """A monthly membership that is bought and renews."""
    form = valid(client, product=str(product.pk), renews="on", **values)
    del form["gift_only"]
    return form


def errors_of(response: Any) -> dict[str, str]:
    """Field -> what is wrong with it."""
    found = {}
    for error in soup_of(response).select(".w-field__errors .error-message"):
        field = error.find_parent(attrs={"data-field": True})
        assert field is not None
        control = field.select_one("[name]")
        found[control["name"] if control else ""] = words_of(error)
    return found


def refusals(client: Client, form: dict[str, Any]) -> dict[str, str]:
    response = client.post(reverse(ADD), form)
    assert not Plan.objects.filter(slug="monthly").exists()
    return errors_of(response)


def test_a_plan_is_written(admin: Client, product: Any) -> None:
    group = Group.objects.create(name="Members")
    form = sold(admin, product, uses="8", group=str(group.pk), retry_days="2,4")
    assert [form["names-0-language"], form["names-1-language"]] == ["en", "fr"]
    response = admin.post(reverse(ADD), form)
    assert response.status_code == 302, errors_of(response)
    plan = Plan.objects.get()
    assert (plan.product, plan.group, plan.uses, plan.renews) == (product, group, 8, True)
    assert plan.retry_days == "2, 4"
    assert plan.titles == {"en": "Monthly pass", "fr": "Pass au mois"}


def test_sent_twice_it_is_one_plan(admin: Client) -> None:
    form = valid(admin)
    assert admin.post(reverse(ADD), form).status_code == 302
    assert errors_of(admin.post(reverse(ADD), form)) == {"slug": "Another plan has this short name."}
    assert Plan.objects.count() == 1


def test_what_is_typed_is_saved_only_when_somebody_says_so(admin: Client) -> None:
    assert not issubclass(Plan, RevisionMixin | DraftStateMixin)
    page = soup_of(admin.get(reverse(ADD)))
    assert "w-autosave" not in page.find("form", id="w-editor-form")["data-controller"]


def test_the_product_is_chosen_in_the_window(admin: Client) -> None:
    page = soup_of(admin.get(reverse(ADD)))
    field = page.find("input", attrs={"name": "product"})
    assert field["type"] == "hidden"
    assert not page.find("select", attrs={"name": "product"})


def test_a_gift_is_neither_sold_nor_renewed(admin: Client, product: Any) -> None:
    found = refusals(admin, valid(admin, product=str(product.pk), renews="on"))
    assert set(found) == {"product", "renews"}
    assert "only given" in found["product"]
    assert "nobody has agreed to pay" in found["renews"]


def test_what_renews_has_a_product(admin: Client) -> None:
    form = valid(admin, renews="on")
    del form["gift_only"]
    assert refusals(admin, form) == {"product": "A renewal orders the product again: choose which one."}
    del form["renews"]
    assert refusals(admin, form) == {"product": "Choose the product that sells it, or tick “only given”."}


def test_trying_out_does_not_renew(admin: Client, product: Any) -> None:
    found = refusals(admin, sold(admin, product, is_trial="on"))
    assert "it does not renew" in found["renews"]


def test_a_product_that_is_delivered_is_refused(admin: Client) -> None:
    found = refusals(admin, sold(admin, make_product("MAT", "39.00")))
    assert "is delivered" in found["product"]


def test_a_product_without_a_price_is_refused(admin: Client, product: Any) -> None:
    product.stockrecords.all().delete()
    assert "has no price" in refusals(admin, sold(admin, product))["product"]


def test_a_product_made_to_wishes_is_refused(admin: Client, product: Any) -> None:
    from oscar.core.loading import get_model

    option = get_model("catalogue", "Option").objects.create(name="Name", code="name", required=True)
    product.product_options.add(option)
    assert "customer's wishes" in refusals(admin, sold(admin, product))["product"]


def test_a_product_belongs_to_one_plan(admin: Client, product: Any) -> None:
    make_plan("yearly", product=product)
    found = refusals(admin, sold(admin, product))
    assert found == {"product": "“Yoga” is sold as “Yearly” already. A product belongs to one plan."}


@pytest.mark.parametrize("permission", ["wagtailadmin.access_admin", "partner.dashboard_access"])
def test_a_group_of_staff_is_refused(admin: Client, permission: str) -> None:
    app_label, codename = permission.split(".")
    group = Group.objects.create(name="Desk")
    group.permissions.add(Permission.objects.get(content_type__app_label=app_label, codename=codename))
    found = refusals(admin, valid(admin, group=str(group.pk)))
    assert set(found) == {"group"}
    assert "“Desk” is a group of your staff" in found["group"]


def test_the_card_is_not_charged_after_the_end(admin: Client, product: Any) -> None:
    found = refusals(admin, sold(admin, product, grace_days="3", retry_days="1, 2, 5"))
    assert found == {
        "retry_days": "After 3 days without payment the membership has ended: it cannot be charged 5 days later."
    }
    # Nobody is charged where nothing renews.
    assert admin.post(reverse(ADD), valid(admin, grace_days="3")).status_code == 302


def test_days_are_days(admin: Client, product: Any) -> None:
    assert "separated by commas" in refusals(admin, sold(admin, product, retry_days="soon"))["retry_days"]
    assert "later than" in refusals(admin, sold(admin, product, retry_days="3, 1"))["retry_days"]


def test_a_renewal_is_not_announced_before_the_period(admin: Client, product: Any) -> None:
    found = refusals(admin, sold(admin, product, period_length="5", period_unit="days", announce_days="7"))
    assert found == {
        "announce_days": "That is before the period begins, which is 5 days long. Choose fewer days."
    }
    # In February too.
    found = refusals(admin, sold(admin, product, period_length="1", period_unit="months", announce_days="28"))
    assert found == {
        "announce_days": "That is before the period begins, which is 1 month long. Choose fewer days."
    }
    assert "announce_days" not in refusals(
        admin,
        sold(admin, product, period_length="1", period_unit="months", announce_days="27", retry_days="x"),
    )


def test_the_renewal_is_said_in_words(admin: Client, product: Any) -> None:
    form = sold(admin, product, uses="8")
    response = admin.post(reverse(f"{PLANS}:words"), form)
    assert response.json() == {
        "words": "One period: 1 month, 8 uses. After 1 month the next period is ordered and charged. The customer is "
        "told at least 7 days before, with what it will cost and what credit pays. A declined card is charged again 1, "
        "3 and 5 days later. Until then the access goes on, for 7 days at most; after that the membership ends."
    }
    # What cannot work is said as it was typed.
    assert (
        "again 9 days later"
        in admin.post(reverse(f"{PLANS}:words"), form | {"retry_days": "9"}).json()["words"]
    )
    # Half typed, it says what it can.
    half = {name: value for name, value in form.items() if not name.startswith("names")}
    assert admin.post(reverse(f"{PLANS}:words"), half | {"retry_days": "x", "uses": "-"}).status_code in (
        200,
        400,
    )


def test_words_for_every_plan() -> None:
    plan = Plan(period_length=30, period_unit="days", uses=1)
    assert in_words(plan) == (
        "One period: 30 days, 1 use. It ends after 30 days. Who has another one by then goes on."
    )
    plan = Plan(renews=True, announce_days=0, grace_days=0, retry_days="")
    assert in_words(plan).endswith(
        "The customer is not told before. A declined card is not charged again. The access ends at once where a card "
        "is declined."
    )


def test_the_short_name_follows_the_name_of_a_new_plan_only(admin: Client) -> None:
    page = soup_of(admin.get(reverse(ADD)))
    assert "w-sync" in page.find("input", id="id_name").get("data-controller", "")
    path = reverse(f"{PLANS}:edit", args=[make_plan().pk])
    assert "w-sync" not in soup_of(admin.get(path)).find("input", id="id_name").get("data-controller", "")


def test_plans_are_listed_with_their_members(admin: Client, product: Any) -> None:
    plan = make_plan("monthly", product=product, renews=True, uses=8)
    make_plan("yearly", gift_only=True, period_length=12)
    make_plan("gone")
    give(make_user("lea@example.com"), plan)
    over = give(make_user("noe@example.com"), plan)
    Membership.objects.filter(pk=over.pk).update(state="ended", ended_reason="ran_out")
    response = admin.get(reverse(f"{PLANS}:list"))
    rows = {row[0].split()[0]: row[1:] for row in rows_of(response)}
    assert rows["Monthly"] == ["Yoga", "1 month", "8 uses", "by itself", "", "1"]
    assert rows["Yearly"] == ["only given", "12 months", "any number of uses", "none", "", "0"]
    assert rows["Gone"][0] == "not sold at present"
    link = main_of(response).find("a", href=lambda href: href and "plan=" in href)
    assert link is not None
    assert len(rows_of(admin.get(link["href"]))) == 1


def test_who_may_not_see_members_gets_the_number_only(product: Any) -> None:
    give(make_user("lea@example.com"), make_plan("monthly", product=product))
    page = main_of(reader("change_plan").get(reverse(f"{PLANS}:list")))
    assert not page.find("a", href=lambda href: href and "memberships/members" in href)


def test_the_listing_costs_the_same_with_many_plans(admin: Client) -> None:
    path = reverse(f"{PLANS}:list")

    def cost(rows: int) -> int:
        admin.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert len(rows_of(admin.get(path))) == rows
        return len(queries)

    groups = [Group.objects.create(name=str(number)) for number in range(12)]
    for number in range(2):
        give(make_user(f"{number}@example.com"), make_sold_plan(f"p{number}", group=groups[number]))
    few = cost(2)
    for number in range(2, 12):
        give(make_user(f"{number}@example.com"), make_sold_plan(f"p{number}", group=groups[number]))
    assert cost(12) == few


def test_a_plan_that_somebody_has_is_not_deleted(admin: Client) -> None:
    plan, unused = make_plan("monthly"), make_plan("yearly")
    give(make_user("lea@example.com"), plan)
    words = "“Monthly” cannot be deleted: 1 membership is of it."
    response = admin.post(reverse(f"{PLANS}:delete", args=[plan.pk]), follow=True)
    assert words in words_of(soup_of(response))
    bulk = reverse("wagtail_bulk_action", args=["referral_memberships", "plan", "delete"])
    assert admin.post(f"{bulk}?id={plan.pk}&id={unused.pk}").status_code in (302, 403)
    assert set(Plan.objects.all()) == {plan, unused}
    assert admin.post(reverse(f"{PLANS}:delete", args=[unused.pk])).status_code == 302
    assert not Plan.objects.filter(pk=unused.pk).exists()


def test_a_plan_that_a_program_promises_is_not_deleted(admin: Client) -> None:
    plan, sold_one, free = make_plan("pass", gift_only=True), make_sold_plan(), make_plan("free")
    program = make_program()
    rule = program.rules.all()[1]
    rule.kind, rule.options = "membership", plan_options(plan)
    rule.save()
    publish_terms(program)
    # It was taken out again; who was referred meanwhile still gets it. Another one is in a draft only.
    rule.kind, rule.options = "credit", {}
    rule.save()
    draft = Program.objects.get()
    first = draft.rules.all()[0]
    first.options = {"bought_plans": [sold_one.pk]}
    draft.rules = [first, rule]
    draft.save_revision()
    for row in (plan, sold_one):
        page = admin.post(reverse(f"{PLANS}:delete", args=[row.pk]), follow=True)
        assert f"“{row}” cannot be deleted: it is part of what the program" in words_of(soup_of(page))
    admin.post(reverse(f"{PLANS}:delete", args=[free.pk]))
    assert set(Plan.objects.all()) == {plan, sold_one}


def test_no_plan_yet(admin: Client) -> None:
    page = words_of(main_of(admin.get(reverse(f"{PLANS}:list"))))
    assert "There are no plans to display." in page


def test_plans_are_downloaded(admin: Client) -> None:
    make_plan()
    head, row = file_of(admin.get(reverse(f"{PLANS}:list"), {"export": "csv"}))
    assert head == ["Name", "Sold as", "Period", "Uses", "Renewal", "Group", "Members"]
    assert (row[0], row[-1]) == ("Monthly", "0")
