"""What is done in the shop without memberships: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import reverse
from oscar.core.loading import get_model


def die(
    *, products: list[int], order: str, waiting: str, advocate: int, program: int, referral: int
) -> dict[str, Any]:
    """Go through the shop; what was seen."""
    from tests.oscar_integration.shopping import Friend
    from wagtail_referrals import audit, rewards
    from wagtail_referrals.rewards.models import Reward

    assert not apps.is_installed("oscar_integration.memberships")
    setup_test_environment()
    User = get_user_model()
    User.objects.filter(username="office").delete()
    office = User.objects.create_superuser("office", "office@example.com", "secret")
    editor, customer = Client(), Client()
    editor.force_login(office, backend="django.contrib.auth.backends.ModelBackend")
    customer.force_login(User.objects.get(pk=advocate), backend="django.contrib.auth.backends.ModelBackend")

    viewset = apps.get_model("wagtail_referrals", "Program").snippet_viewset
    pages = {
        "programs": editor.get(reverse(viewset.get_url_name("list"))),
        "program": editor.get(reverse(viewset.get_url_name("edit"), args=[program])),
        "home of the admin": editor.get(reverse("wagtailadmin_home")),
        "referrals": editor.get(reverse("wagtail_referrals_referrals:index")),
        "referral": editor.get(reverse("wagtail_referrals_referrals:inspect", args=[referral])),
        "rewards": editor.get(reverse("wagtail_referrals_rewards:index")),
        "site history": editor.get(reverse("wagtailadmin_reports:site_history")),
        "groups": editor.get(reverse("wagtailusers_groups:index")),
        "account": customer.get(reverse("referrals:account"), follow=True),
        "profile": customer.get(reverse("customer:profile-view")),
        "orders": customer.get(reverse("customer:order-list")),
        "order": customer.get(reverse("customer:order", args=[order])),
    }
    seen: dict[str, Any] = {"pages": {name: answer.status_code for name, answer in pages.items()}}

    # The product is sold like any other, also to a friend with an invitation.
    from wagtail_referrals.people.models import Advocate
    from wagtail_referrals.programs.models import Terms

    friend = Friend()
    friend.click(Advocate.objects.get(user=advocate), Terms.objects.latest("pk"))
    for product in products:
        friend.client.post(friend.url(f"basket/add/{product}/"), {"quantity": "1"})
    friend.as_guest("new@example.com")
    bought = friend.buy()
    bought.set_status("Shipped") if bought.status == "Paid" else bought.set_status("Paid")
    get_model("order", "Order").objects.get(number=waiting).set_status("Paid")

    run = rewards.sweep()
    seen["swept"] = {"failed": run.failed}
    seen["rewards"] = sorted(Reward.objects.values_list("kind", "state", "posted"), key=str)
    findings: list[str] = []
    audit.audit(report=lambda finding: findings.append(finding.problem.key))
    seen["bought"] = sorted(bought.lines.values_list("product_id", flat=True))
    seen["audit"] = sorted(set(findings))
    seen["checks"] = [
        message.id for message in run_checks(tags=["referrals"]) if not str(message.id).endswith("W001")
    ]
    seen["new"] = bought.number
    return seen | {"rewards": [[kind, state, str(posted)] for kind, state, posted in seen["rewards"]]}
