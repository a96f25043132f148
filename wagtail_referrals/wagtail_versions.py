"""What Wagtail 8 has and Wagtail 7.4 lacks, by the names of Wagtail 8; and tasks, which Django has itself from 6.0 on.
The one place that knows of two versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    BASE_PAGE_MODEL_NAME: str

    # Of the backends that run a task at once, where it is enqueued.
    IMMEDIATE_BACKENDS: tuple[type, ...]

    def register_permission_policy(model: Any, policy: Any) -> None: ...
    def task(function: Any) -> Any: ...
else:
    try:
        from wagtail.models.pages import BASE_PAGE_MODEL_NAME
        from wagtail.permissions import register_permission_policy
    except ImportError:
        # Before 8.0 no site could swap the base page, and a policy was only what the views were handed: ours are.
        BASE_PAGE_MODEL_NAME = "wagtailcore.Page"

        def register_permission_policy(model, policy):
            pass

    # Wagtail brings this one, on each Django.
    from django_tasks.backends.immediate import ImmediateBackend

    try:
        from django.tasks import task
        from django.tasks.backends.immediate import ImmediateBackend as DjangosImmediateBackend
    except ImportError:
        from django_tasks import task

        IMMEDIATE_BACKENDS = (ImmediateBackend,)
    else:
        IMMEDIATE_BACKENDS = (DjangosImmediateBackend, ImmediateBackend)


__all__ = ["BASE_PAGE_MODEL_NAME", "IMMEDIATE_BACKENDS", "register_permission_policy", "task"]
