"""A cell of a listing that leads somewhere, and one with a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wagtail.admin.ui.tables import Column


class LinkColumn(Column):
    """A value that leads to what is behind it, for those who may see that; ``get_url`` may give "" for nowhere."""

    cell_template_name = "oscar_integration/memberships/admin/link_cell.html"

    def __init__(self, name: str, *, get_url: Callable[[Any], str] | None = None, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.get_url = get_url

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        context["url"] = self.get_url(instance) if self.get_url is not None else ""
        return context


class ButtonColumn(Column):
    """A button that does something about the row; the accessor says what, or nothing where there is nothing to do."""

    cell_template_name = "oscar_integration/memberships/admin/button_cell.html"
    export_value = None

    def __init__(
        self, name: str, *, get_url: Callable[[Any], str] | None, back_url: str, **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self.get_url, self.back_url = get_url, back_url

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        query = parent_context["request"].GET.urlencode()
        context["url"] = self.get_url(instance) if self.get_url is not None and context["value"] else ""
        context["csrf_token"] = parent_context.get("csrf_token")
        # To the listing as it is now, which may have been filtered without a new page.
        context["next"] = f"{self.back_url}?{query}"
        return context
