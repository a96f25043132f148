"""The card form of the payment step."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK, DECLINED, DECLINED_LATER

DEMONSTRATION_CARDS = [
    ("4242 4242 4242 4242", _("accepted")),
    ("4000 0000 0000 0002", _("declined")),
    ("4000 0000 0000 3220", _("asks you on your bank's page")),
    ("4000 0000 0000 0341", _("accepted now, declined when a membership renews")),
]


class CardForm(forms.Form):
    """Number, expiry date and security code; nothing of it is ever stored but the last four digits."""

    number = forms.CharField(
        label=_("Card number"),
        max_length=23,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "cc-number", "placeholder": "4242 4242 4242 4242"}
        ),
    )
    expiry = forms.RegexField(
        label=_("Expiry date"),
        regex=r"^(0[1-9]|1[0-2])\s*/\s*\d{2}$",
        error_messages={"invalid": _("Month and year, like 04/30.")},
        widget=forms.TextInput(
            attrs={
                "inputmode": "numeric",
                "autocomplete": "cc-exp",
                "placeholder": _("MM / YY"),
                "maxlength": 7,
            }
        ),
    )
    code = forms.RegexField(
        label=_("Security code"),
        regex=r"^\d{3,4}$",
        error_messages={"invalid": _("The three digits on the back.")},
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "cc-csc", "placeholder": "123", "maxlength": 4}
        ),
    )

    keep = forms.BooleanField(
        label=_("Keep this card for renewals"),
        required=False,
        initial=True,
        help_text=_(
            "On the day your membership renews, your referral credit pays first and this card the rest. In your "
            "account you can change or remove the card, and switch the renewal off."
        ),
    )

    def __init__(self, *args: Any, may_keep: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("prefix", "card")
        super().__init__(*args, **kwargs)
        if not may_keep:
            del self.fields["keep"]

    def clean_number(self) -> str:
        number = "".join(self.cleaned_data["number"].split()).replace("-", "")
        if number not in (ACCEPTED, DECLINED, ASKS_THE_BANK, DECLINED_LATER):
            raise forms.ValidationError(
                _("This demonstration knows a few cards only: choose one of those below.")
            )
        return number
