"""Items of the menu that say how much waits behind them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext
from wagtail.admin.menu import MenuItem

logger = logging.getLogger("wagtail_referrals")

REVIEW_COUNT: Final = "wagtail_referrals.to_check"
REQUEST_COUNT: Final = "wagtail_referrals.requests"
# The menu is on every page of the admin: a number may be a minute old, and ends here.
SECONDS: Final = 60
MOST: Final = 1000


def count_words(key: str, rows: Callable[[], QuerySet[Any]]) -> str:
    """How many rows there are, "" for none; kept for a minute. Never raises: the menu is on every page."""
    try:
        number = cache.get(key)
        if number is None:
            number = rows()[:MOST].count()
            cache.set(key, number, SECONDS)
    except Exception:
        logger.exception("A number of the menu could not be counted.")
        return ""
    return f"{MOST - 1}+" if number >= MOST else str(number or "")


def forget_count(key: str) -> None:
    """After a decision: count again. Never raises."""
    try:
        cache.delete(key)
    except Exception:
        logger.exception("A number of the menu could not be forgotten.")


class CountedViewSet:
    """Mixed into a view set: its item of the menu has the number of rows that wait, e.g. "To check (3)"."""

    count_key = ""
    # All are needed to see the item.
    count_permissions: Sequence[str] = ()

    def waiting(self) -> QuerySet[Any]:
        raise NotImplementedError

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        view_set = self

        class CountedMenuItem(MenuItem):
            def is_shown(self, request: HttpRequest) -> bool:
                return bool(request.user.has_perms(view_set.count_permissions))

            def render_component(self, request: HttpRequest) -> Any:
                component = super().render_component(request)
                number = count_words(view_set.count_key, view_set.waiting)
                if number:
                    component.label = gettext("%(label)s (%(number)s)") % {
                        "label": component.label,
                        "number": number,
                    }
                return component

        return CountedMenuItem
