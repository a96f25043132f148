"""The landing page in a shop without Oscar: where the button may lead, and what is said to who comes again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from wagtail_referrals import people
from wagtail_referrals.site.actions import action_targets

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_the_button_leads_to_what_any_shop_has():
    assert [target.key for target in action_targets] == ["shop", "sign_up", "page"]


def test_who_comes_again_reads_that_the_present_waits(make_program, camille):
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        make_program()
        link = people.share_path(people.code_of(people.advocate_for(camille)))
        client = Client(headers={"user-agent": BROWSER, "accept-language": "en"})
        assert client.get(link).context["invitation"].kind == "friend"
    with time_machine.travel(datetime(2026, 3, 1, 18, tzinfo=UTC), tick=False):
        invitation = client.get(link).context["invitation"]
    assert invitation.kind == "returning" and invitation.day == "March 31, 2026"
