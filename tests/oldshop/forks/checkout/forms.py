from django import forms
from django.utils.translation import gettext_lazy as _
from oscar.apps.checkout.forms import *  # noqa: F403


class GiftForm(forms.Form):
    """The card that we write by hand and put into the parcel."""

    message = forms.CharField(
        label=_("Message for the gift card"),
        help_text=_("Leave it empty if this is not a gift."),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
