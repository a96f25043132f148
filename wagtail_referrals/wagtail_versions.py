"""What Wagtail 8 has and Wagtail 7.4 lacks, by the names of Wagtail 8. The one place that knows of two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    BASE_PAGE_MODEL_NAME: str

    def register_permission_policy(model: Any, policy: Any) -> None: ...
else:
    try:
        from wagtail.models.pages import BASE_PAGE_MODEL_NAME
        from wagtail.permissions import register_permission_policy
    except ImportError:
        # Before 8.0 no site could swap the base page, and a policy was only what the views were handed: ours are.
        BASE_PAGE_MODEL_NAME = "wagtailcore.Page"

        def register_permission_policy(model, policy):
            pass


__all__ = ["BASE_PAGE_MODEL_NAME", "register_permission_policy"]
