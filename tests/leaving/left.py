"""The old shop after the package has left: it sells, its orders read as before, and nobody misses anything.

Runs in the folder of the project, with what ``living.py`` wrote there.
"""

from __future__ import annotations

import html
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [os.getcwd(), os.path.dirname(__file__)]
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402

OFFICE, PASSWORD = "office@shop.example", "knit-two-purl-two"
PARTS = ("wagtail_referrals", "oscar_integration")


def main() -> None:
    known = json.loads(Path("known.json").read_text())
    for part in PARTS:
        assert importlib.util.find_spec(part) is None, f"{part} is still there"
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test.utils import setup_test_environment
    from living import order_of, visitor

    setup_test_environment()
    nothing_is_left_in_the_database(known)

    # Who had a discount in an open basket has the basket without it.
    friend = visitor()
    for name, value in known["cookies"].items():
        friend.cookies[name] = value
    basket = friend.get("/en/basket/").context["basket"]
    assert str(basket.total_incl_tax) == known["before_discounts"], basket.total_incl_tax
    assert order_of(visitor(), guest="somebody@example.com").total_incl_tax > 0
    assert order_of(friend, guest="another@example.com").total_incl_tax > 0

    User = get_user_model()
    customer = User.objects.get(pk=known["customer"])
    account = visitor()
    account.force_login(customer, backend="django.contrib.auth.backends.ModelBackend")
    # Written down at a time when they had credit.
    for page in ("/en/accounts/", "/en/accounts/orders/", f"/en/accounts/orders/{known['with_credit']}/"):
        read(account, page)
    assert order_of(account).user_id == customer.pk

    office = User.objects.get(email=OFFICE)
    User.objects.filter(pk=office.pk).update(is_superuser=True)
    staff = visitor()
    staff.force_login(office, backend="django.contrib.auth.backends.ModelBackend")
    the_dashboard_reads_as_before(staff, known)
    wagtail_works(staff)

    assert account.post("/en/accounts/profile/delete/", {"password": PASSWORD}).status_code == 302
    assert not User.objects.filter(pk=customer.pk).exists()
    print("left")


def read(client: Any, path: str) -> str:
    response = client.get(path, follow=True)
    assert response.status_code == 200, f"{path}: {response.status_code}"
    return html.unescape(response.content.decode())


def nothing_is_left_in_the_database(known: dict[str, Any]) -> None:
    from django.contrib.auth.models import Permission
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection
    from oscar.core.loading import get_model
    from wagtail.models import ModelLogEntry, Page, Revision

    assert not [table for table in connection.introspection.table_names() if table.startswith(PARTS)]
    assert not ContentType.objects.filter(app_label__startswith=PARTS[0]).exists()
    assert not Permission.objects.filter(content_type__app_label__startswith=PARTS[0]).exists()
    assert {type(page.specific) for page in Page.objects.all()} == {Page}
    assert Page.objects.get(slug="terms").get_parent().pk == known["parent"]
    assert Revision.objects.count() == ModelLogEntry.objects.exclude(content_type=None).count() == 0
    for name in ("Condition", "Benefit"):
        assert not get_model("offer", name).objects.filter(proxy_class__startswith=PARTS[1]).exists()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'referrals%'")
            assert cursor.fetchall() == []


def the_dashboard_reads_as_before(staff: Any, known: dict[str, Any]) -> None:
    from oscar.core.loading import get_model

    with_discount = read(staff, f"/en/dashboard/orders/{known['with_discount']}/")
    assert known["code"] in with_discount and "Referral discount" in with_discount
    with_credit = read(staff, f"/en/dashboard/orders/{known['with_credit']}/")
    assert "Referral credit" in with_credit and "10.00" in with_credit
    voucher = get_model("voucher", "Voucher").objects.get(code=known["code"])
    for page in (
        "",
        "orders/",
        "orders/statistics/",
        "vouchers/",
        f"vouchers/stats/{voucher.pk}/",
        f"vouchers/update/{voucher.pk}/",
        "vouchers/create/",
        "offers/",
        f"offers/{known['offer']}/",
        f"offers/{known['offer']}/condition/",
        f"offers/{known['offer']}/incentive/",
        "ranges/",
        "users/",
        f"users/{known['customer']}/",
        "reports/?report_type=conditional-offer-performance",
        "reports/?report_type=vouchers",
    ):
        read(staff, f"/en/dashboard/{page}")
    # The shop may tidy up.
    assert staff.post(f"/en/dashboard/offers/{known['offer']}/delete/").status_code == 302


def wagtail_works(staff: Any) -> None:
    from django.contrib.auth.models import Group
    from wagtail.models import Page

    group = Group.objects.get(name="Moderators")
    for page in (
        "",
        "pages/",
        f"pages/{Page.objects.get(slug='terms').pk}/edit/",
        "pages/search/?q=terms",
        "reports/site-history/",
        "reports/locked/",
        "reports/aging-pages/",
        "reports/page-types-usage/",
        "reports/workflow/",
        "snippets/",
        "users/",
        "groups/",
        f"groups/edit/{group.pk}/",
        "sites/",
    ):
        read(staff, f"/cms/{page}")
    read(staff, "/admin/")


if __name__ == "__main__":
    main()
