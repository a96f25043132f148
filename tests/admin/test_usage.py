"""What our forms say, and do not say, of how often something is used."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from wagtail.snippets.models import get_snippet_models

from tests.admin.rows import make_program
from wagtail_referrals.programs.models import Audience

pytestmark = pytest.mark.django_db


def panel(admin: Client, url: str) -> str:
    response = admin.get(url)
    assert response.status_code == 200
    found = BeautifulSoup(response.content, "html.parser").select_one("[data-side-panel=status]")
    assert found is not None
    return found.get_text(" ", strip=True)


@pytest.mark.parametrize("model", ["program", "audience", "badge", "featured", "messagetemplate", "sequence"])
def test_a_new_one_is_not_said_to_be_unused(admin: Client, model: str) -> None:
    """Wagtail's reference index knows nothing of ours."""
    (snippet,) = [
        found.snippet_viewset
        for found in get_snippet_models()
        if found._meta.label_lower == f"wagtail_referrals.{model}"
    ]
    query = {"program": "?preset=empty", "messagetemplate": "?kind=reward_given", "sequence": "?empty"}
    url = reverse(snippet.get_url_name("add")) + query.get(model, "")
    assert "Usage" not in panel(admin, url)


def test_an_audience_of_a_program_is_not_said_to_be_unused(admin: Client) -> None:
    audience = Audience.objects.create(name="Regulars")
    program = make_program(audience=audience)
    for name, row in (("audiences", audience), ("programs", program)):
        words = panel(admin, reverse(f"wagtail_referrals_{name}:edit", args=[row.pk]))
        assert "Live" in words
        assert "Used" not in words
