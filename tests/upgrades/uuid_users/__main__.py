"""Migrate from nothing, and let a customer earn and share: test_migrations.py runs it."""

import os
from decimal import Decimal

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.upgrades.uuid_users.settings"
django.setup()


def main() -> None:
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from wagtail_referrals import credit, people
    from wagtail_referrals.credit.models import Account

    call_command("migrate", verbosity=0, interactive=False)
    user = get_user_model().objects.create(email="jo@example.com")
    credit.grant(
        user=user,
        currency="EUR",
        amount=Decimal("5.00"),
        key="k",
        source="",
        expires_at=None,
        now=timezone.now(),
    )
    assert Account.objects.get(user__id=user.pk).balance == Decimal("5.00")
    advocate = people.advocate_for(user)
    assert people.code_of(advocate)
    user.delete()
    advocate.refresh_from_db()
    assert advocate.user_id is None
    assert Account.objects.get().balance == Decimal("5.00")


main()
