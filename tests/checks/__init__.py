"""The system checks: each fires on its mistake, is silent after its own mend, and never raises."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.checks import CheckMessage


@dataclass(frozen=True)
class Mistake:
    """Settings that are wrong, what is said about them, and the settings after doing what the hint says.

    Keys of WAGTAIL_REFERRALS and WAGTAIL_REFERRALS_OSCAR stand by themselves, those of the project under ``project``.
    """

    id: str
    words: str
    wrong: Mapping[str, Any] = field(default_factory=dict)
    mended: Mapping[str, Any] = field(default_factory=dict)
    project: Mapping[str, Any] = field(default_factory=dict)
    mended_project: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        values = {**self.wrong, **self.project}
        return f"{self.id}-{'-'.join(values)}"


def say(found: Iterable[CheckMessage]) -> list[str]:
    """The ids; each message has a reason, which follows a colon or a full stop, and a mend."""
    messages = list(found)
    for message in messages:
        assert message.hint, message
        assert ":" in message.msg or message.msg.count(".") > 1 or " and " in message.msg, message.msg
        assert message.id.split(".")[1][0] == {30: "W", 40: "E"}[message.level], message
    return [message.id for message in messages]


def with_options(templates: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    """TEMPLATES of a project with other values in its first engine."""
    engines = copy.deepcopy(templates)
    for name, value in changes.items():
        place = engines[0] if name.isupper() else engines[0]["OPTIONS"]
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return engines


def urls(*patterns: Any) -> types.ModuleType:
    """A URL configuration."""
    module = types.ModuleType("tests.checks.made_urls")
    module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    return module
