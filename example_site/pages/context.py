"""What the shop's templates are given on every page."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from oscar.apps.search import context_processors


def search_form(request: HttpRequest) -> dict[str, Any]:
    """Oscar's search field, but not in Wagtail's admin, whose listings would take it for their own."""
    if request.path.startswith(reverse("wagtailadmin_home")):
        return {}
    found: dict[str, Any] = context_processors.search_form(request)
    return found
