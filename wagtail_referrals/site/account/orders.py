"""Orders that are not where they belong: "my friend ordered but I don't see it", and "did you send this friend?"."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class ReportForm(forms.Form):
    """The number of a friend's order. Whether there is such an order, nobody is told here."""

    reference = forms.CharField(
        label=_("Your friend's order number"),
        max_length=64,
        help_text=_(
            "Your friend finds it in the e-mail that confirms the order. We look at it and answer here."
        ),
        error_messages={"required": _("Please enter the number of your friend's order.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reference"].widget.attrs.update(autocomplete="off", spellcheck="false")
