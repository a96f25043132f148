"""Whose options the form of a rule shows: of all kinds and triggers, and of those that a rule has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured

from wagtail_referrals.kinds.options import HasOptions
from wagtail_referrals.kinds.reward import reward_kinds
from wagtail_referrals.kinds.trigger import triggers


def option_owners(kind: Any, trigger: Any) -> list[HasOptions]:
    """The kind and the trigger of a rule, by their keys; what is not registered is passed over."""
    found: list[HasOptions] = []
    if kind in reward_kinds:
        found.append(reward_kinds.get(kind))
    if trigger in triggers:
        found.append(triggers.get(trigger))
    return found


def join_option_fields(owners: Iterable[HasOptions]) -> dict[str, forms.Field]:
    """New form fields of all ``owners`` by name of the option.

    Raises ``ImproperlyConfigured`` for a name that two of them use: one would be given what the other asked for.
    """
    found: dict[str, forms.Field] = {}
    for owner in owners:
        for name, field in owner.option_fields().items():
            if name in found:
                raise ImproperlyConfigured(
                    f'"{owner.key}" has an option "{name}", and so has another kind or trigger.'
                )
            found[name] = field
    return found
