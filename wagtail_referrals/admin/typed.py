"""What the admin says, or does, about a snippet's form while it is being typed."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin


@method_decorator(never_cache, name="dispatch")
class TypedFormView(PermissionCheckedMixin, View):
    """Takes the form as it stands, of a new row or of one that there is, and saves nothing of it.

    Who may not add the row, or change this one, is turned away.
    """

    model: type[Model]
    any_permission_required = ("add", "change")
    http_method_names = ("post",)
    form_class: Any = None

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        instance: Any = self.model()
        if pk is not None:
            row: Any = get_object_or_404(self.model, pk=unquote(str(pk)))
            instance = row.get_latest_revision_as_object()
            if not self.user_has_permission_for_instance("change", instance):
                raise PermissionDenied
        elif not self.user_has_permission("add"):
            raise PermissionDenied
        try:
            form = self.form_class(request.POST, instance=instance, for_user=request.user)
            form.defer_required_fields()
            form.is_valid()
            typed = self.read(form)
        except (KeyError, ValueError, ValidationError):
            # Rows that are not of this form: it was tampered with, or changed in another window.
            return HttpResponseBadRequest()
        return self.answer(typed, instance)

    def read(self, form: Any) -> Any:
        """What ``answer`` gets of a form that has been checked, whether it is valid or not."""
        raise NotImplementedError

    def answer(self, typed: Any, instance: Any) -> HttpResponse:
        """``instance``: the row as last saved, or a new one."""
        raise NotImplementedError
