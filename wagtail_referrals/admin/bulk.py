"""Nothing of ours is deleted in bulk."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from wagtail.snippets.bulk_actions.delete import DeleteBulkAction

from wagtail_referrals.messages.models import MessageTemplate, Sequence
from wagtail_referrals.programs.models import Audience, Program
from wagtail_referrals.recognition.models import Badge, Featured


class NoBulkDeletion(DeleteBulkAction):
    """Stands where Wagtail has its own for every snippet, whose page tells any editor what the rows are called, and
    whose "all" goes past the filter of the listing. To be registered after Wagtail's.
    """

    models = [Program, Audience, Badge, Featured, MessageTemplate, Sequence]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        raise PermissionDenied
