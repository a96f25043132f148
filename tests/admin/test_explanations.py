"""Above each listing stands what it shows, and what its words mean."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from wagtail.snippets.views.snippets import SnippetViewSet

from oscar_integration.memberships.admin.menu import MembershipsGroup
from oscar_integration.memberships.models import Membership, Renewal
from wagtail_referrals.admin.explanations import EXPLANATIONS
from wagtail_referrals.admin.menu import ReferralsGroup
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.states import ProgramState
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "viewset", [*ReferralsGroup.items, *MembershipsGroup.items], ids=lambda viewset: viewset.__name__
)
def test_every_listing_of_the_menu_is_explained(admin: Client, viewset: Any) -> None:
    model = viewset.model
    if getattr(viewset, "index_template_name", "").endswith("review.html"):
        pytest.skip("has a page of its own, which says what to do")
    listing = viewset().get_url_name("list" if issubclass(viewset, SnippetViewSet) else "index")
    response = admin.get(reverse(listing))
    soup = BeautifulSoup(response.content, "html.parser")
    (said,) = soup.select(".referral-explanation")
    assert str(EXPLANATIONS[model].text) in said.get_text()
    # What is fetched anew while one searches is the table only.
    assert not said.find_parent(id="listing-results")


@pytest.mark.parametrize(
    "states", [ProgramState, Referral.State, Advocate.State, Reward.State, Membership.State, Renewal.State]
)
def test_every_state_has_a_meaning(states: Any) -> None:
    explained = {str(word) for found in EXPLANATIONS.values() for word in found.terms}
    assert {str(label) for label in states.labels} <= explained


def test_no_two_entries_of_the_menu_look_alike() -> None:
    icons = [viewset.icon for viewset in ReferralsGroup.items]
    assert len(set(icons)) == len(icons), icons


def test_the_queue_says_what_to_do_at_the_distance_of_other_listings(admin: Client) -> None:
    response = admin.get(reverse("wagtail_referrals_review:index"))
    (said,) = BeautifulSoup(response.content, "html.parser").select(".referral-explanation")
    assert "Approve: the rewards are given as promised." in said.get_text()
