"""To act on several rows of a listing: those that were ticked, or all that the filters of the screen find."""

from __future__ import annotations

from copy import copy
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from wagtail.admin.utils import get_valid_next_url_from_request

from wagtail_referrals.admin.listing import RecordIndexView

# Of many rows, so many are acted on at once.
MOST: Final = 500


class SelectionMixin:
    """Mixed into the view behind a button at the foot of a listing; the button is drawn by "_selection.html".

    ``?id=1&id=2``: these; ``?id=all`` with what the listing was asked: all that it finds. Wagtail's own "all" goes past
    the filters.
    """

    request: HttpRequest
    # Of the listing, as ``as_view`` made it.
    listing: Any = None
    index_url_name = ""

    @property
    def index_url(self) -> str:
        return reverse(self.index_url_name)

    @property
    def next_url(self) -> str:
        """Back to the list as it was asked."""
        url: str = get_valid_next_url_from_request(self.request)
        # A word without a slash would be looked for among the names of addresses.
        return url if url.startswith("/") else self.index_url

    @property
    def wants_all(self) -> bool:
        return "all" in self.request.GET.getlist("id")

    @property
    def ticked(self) -> list[int]:
        """The keys that the address names, at most ``MOST``."""
        ids = self.request.GET.getlist("id")
        return [int(text) for text in ids if text.isdecimal() and len(text) < 19][:MOST]

    @cached_property
    def matching(self) -> RecordIndexView:
        """The listing, asked what the screen was asked."""
        query = self.request.GET.copy()
        for name in ("id", "next"):
            query.pop(name, None)
        request = copy(self.request)
        request.GET = query  # type: ignore[assignment]
        view: RecordIndexView = self.listing.view_class(**self.listing.view_initkwargs)
        view.setup(request)
        return view

    @cached_property
    def problems(self) -> list[str]:
        """Why nothing can be done: a filter that is wrong must not mean everything."""
        return self.matching.export_problems() if self.wants_all else []


__all__ = ["MOST", "SelectionMixin"]
