"""What Wagtail says of how often something is used."""

from __future__ import annotations

from typing import Any


class NoUsageMixin:
    """In front of Wagtail's ``SnippetViewSet``, for what the reference index knows nothing about.

    "Used 0 times" would be untrue of an audience that three programs are for.
    """

    def get_common_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_common_view_kwargs(**kwargs)  # type: ignore[misc]
        return {**found, "usage_url_name": ""}
