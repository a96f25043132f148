"""Who opens the admin, and a program with a referral to look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.test import Client

from tests.admin.rows import NOW, make_advocate, make_program, make_referral, make_user
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import Referral

OURS = ("wagtail_referrals", "wagtail_referrals_credit", "referral_memberships", "referral_feedback")


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(email: str, *codenames: str) -> Any:
    """A user of the admin with these permissions of ours and no others."""
    user = make_user(email)
    group = Group.objects.create(name=email)
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    granted = Permission.objects.filter(content_type__app_label__in=OURS, codename__in=codenames)
    assert granted.count() == len(codenames), "a permission is missing"
    group.permissions.add(*granted)
    user.groups.add(group)
    return user


@pytest.fixture(autouse=True)
def _the_day_after() -> Iterator[None]:
    """The rows are of the day before, whenever the tests run."""
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        yield


@pytest.fixture
def admin(db: None) -> Client:
    return signed_in(make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True))


@pytest.fixture
def outsider(db: None) -> Client:
    """An editor of pages, who has nothing to do with referrals."""
    return signed_in(staff("pages@example.com"))


@pytest.fixture
def program(db: None) -> Program:
    return make_program()


@pytest.fixture
def terms(program: Program) -> Terms:
    return Terms.objects.get(program_key=program.key)


@pytest.fixture
def referral(terms: Terms) -> Referral:
    return make_referral(terms, make_advocate(), make_user("lea@example.com", "Léa"))
