"""What a kind or a trigger asks the editor beyond amounts, percentage and minimum: its options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import get_language

# Before the name of an option in the form of a rule, where it stands beside the rule's own fields.
OPTION_PREFIX: Final = "option_"


def in_language(texts: Mapping[str, str]) -> str:
    """The text in the current language ("fr-ca" falls back to "fr"), else in the site's, else any; "" without any."""
    current = get_language() or ""
    for language in (current, current.split("-")[0], settings.LANGUAGE_CODE):
        if texts.get(language):
            return texts[language]
    return next(iter(texts.values()), "")


class HasOptions:
    """Fields of its own in the form of a rule, and what the terms keep of them.

    ``Rule.options`` holds what ``freeze_options`` made of what the editor chose: JSON values, with all that the words
    and the shop need later. The terms outlive what they name, so a thing that may be renamed or deleted is kept with
    its id and its title.
    """

    key: str
    label: Any

    def option_fields(self) -> dict[str, forms.Field]:
        """New form fields by name of the option; names are unique among all kinds and triggers.

        A draft may leave a required field empty.
        """
        return {}

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        """What the terms keep of what was chosen: JSON values. Default: the values that are not empty.

        ``values`` are the cleaned values of ``option_fields`` by name, ``None`` for what is not valid (yet). Must not
        raise for what a draft left empty. Raises ``TypeError`` by default for what JSON cannot hold.
        """
        kept = {name: value for name, value in values.items() if value not in (None, "", [], (), {})}
        frozen: dict[str, Any] = json.loads(json.dumps(kept, cls=DjangoJSONEncoder))
        return frozen

    def initial_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """The way back: initial values of ``option_fields`` by name. Default: ``options`` as they are."""
        return dict(options)

    def option_problems(self, options: dict[str, Any]) -> dict[str, str]:
        """Why a rule with these ``options`` cannot be promised: a message by name of the option to mend.

        Default: what is required is there.
        """
        initial = self.initial_options(options)
        return {
            name: str(field.error_messages["required"])
            for name, field in self.option_fields().items()
            if field.required and initial.get(name) in field.empty_values
        }

    def option_hints(self, options: dict[str, Any]) -> list[str]:
        """What is possible but hardly meant, whole sentences: a range that is empty. Asked of sound ``options``."""
        return []
