"""Words in braces that an editor writes and visitors never see: {name}, {gift}, {day}."""

from __future__ import annotations

import re
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext, ngettext

_IN_BRACES: Final = re.compile(r"\{([^{}<>]*)\}")


@deconstructible
class Placeholders:
    """A validator: between braces stands nothing but these names, as they are. Visitors would read what is mistyped."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, value: Any) -> None:
        unknown = [name for name in _IN_BRACES.findall(str(value)) if name not in self.names]
        if not unknown:
            return
        known = ", ".join(f"{{{name}}}" for name in self.names)
        if not known:
            raise ValidationError(
                gettext("Nothing in braces is replaced here: visitors would read it as it is.")
            )
        raise ValidationError(
            ngettext(
                "Visitors would read %(unknown)s as it is. What is replaced here: %(known)s.",
                "Visitors would read %(unknown)s as they are. What is replaced here: %(known)s.",
                len(unknown),
            )
            % {"unknown": ", ".join(f"{{{name}}}" for name in unknown), "known": known},
            code="placeholder",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placeholders) and other.names == self.names

    def __hash__(self) -> int:
        return hash(self.names)


NAME_AND_GIFT: Final = Placeholders("name", "gift")
NAME_GIFT_AND_DAY: Final = Placeholders("name", "gift", "day")
