"""Names of programs by key, also of those that were deleted since."""

from __future__ import annotations

from django.utils.translation import gettext

from wagtail_referrals.programs.models import Program, Terms


def program_names() -> dict[str, str]:
    """The name of every program that ever was published, or exists, by its key. Two queries."""
    names = {
        str(key): str(name or "")
        for key, name in Terms.objects.order_by("program_key", "number").values_list(
            "program_key", "data__name"
        )
    }
    names.update((str(key), name) for key, name in Program.objects.values_list("key", "name"))
    return {key: name or gettext("(without a name)") for key, name in names.items()}
