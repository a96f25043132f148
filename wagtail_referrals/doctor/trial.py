"""The people and things that the doctor tries with. None of them is there afterwards."""

from __future__ import annotations

import datetime as dates
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db import models
from django.utils.translation import gettext as _
from wagtail.models import Site

from wagtail_referrals.doctor.browser import Browser
from wagtail_referrals.doctor.findings import NotTried
from wagtail_referrals.doctor.undone import Withheld
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import OpenTerms
from wagtail_referrals.tracking.models import Visit


@dataclass
class Trial:
    """What one examination leaves for the next ones. ``kept`` is for those that other apps register."""

    now: dates.datetime
    withheld: Withheld
    site: Site | None = None
    advocate: Advocate | None = None
    friend: Any = None
    code: str = ""
    offer: OpenTerms | None = None
    visit: Visit | None = None
    browser: Browser | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    def remember(self) -> dict[str, Any]:
        return {**vars(self), "kept": dict(self.kept)}

    def restore(self, before: dict[str, Any]) -> None:
        """After an examination was rolled back: what it made is gone."""
        vars(self).update(before)

    def need(self, name: str) -> Any:
        """What an earlier examination was to leave. Raises ``NotTried`` where it could not."""
        found = getattr(self, name, None) or self.kept.get(name)
        if not found:
            raise NotTried(_("Not tried: what comes before did not work."))
        return found


def make_account(**values: Any) -> Any:
    """A customer's account in the shop's own user model, whatever it asks for. Raises what the model raises."""
    model: Any = get_user_model()
    user = filled(model, email=f"referrals-doctor-{uuid4().hex[:12]}@example.invalid", **values)
    if hasattr(user, "set_unusable_password"):
        user.set_unusable_password()
    user.save()
    return user


def filled(model: Any, email: str = "", **values: Any) -> Any:
    """An unsaved row in which every field that must not be empty has something that fits."""
    row = model()
    named = {
        getattr(model, "USERNAME_FIELD", ""),
        getattr(model, "EMAIL_FIELD", ""),
        *getattr(model, "REQUIRED_FIELDS", ()),
    }
    for column in model._meta.concrete_fields:
        if column.name in values:
            setattr(row, column.name, values[column.name])
        elif column.primary_key or column.auto_created:
            continue
        elif column.name in named or (not column.has_default() and not column.null and not column.blank):
            setattr(row, column.attname, _something(column, email))
    return row


def _something(column: Any, email: str) -> Any:
    if column.choices:
        choices = [value for value, _label in column.flatchoices if value not in ("", None)]
        if choices:
            return choices[0]
    if isinstance(column, models.ForeignKey):
        related: Any = column.related_model
        return related._default_manager.values_list(column.target_field.attname, flat=True).first()
    if isinstance(column, models.EmailField):
        return email
    if isinstance(column, models.CharField | models.TextField):
        text = email if "mail" in column.name else f"doctor{uuid4().hex}"
        return text[: column.max_length] if column.max_length else text
    for kind, value in (
        (models.BooleanField, False),
        (models.DateTimeField, dates.datetime(1990, 1, 1, tzinfo=dates.UTC)),
        (models.DateField, dates.date(1990, 1, 1)),
        (models.DecimalField, Decimal(0)),
        (models.IntegerField, 0),
        (models.UUIDField, uuid4()),
        (models.JSONField, {}),
    ):
        if isinstance(column, kind):
            return value
    return ""
