"""What customers decide for themselves: the name that friends see, who reads of them, and whether they refer at all."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import people, recognition
from wagtail_referrals.people.models import Advocate


class NameForm(forms.ModelForm):
    """The name that friends see. Saving it also says that the advocate has seen it."""

    class Meta:
        model = Advocate
        fields = ("public_name",)
        labels = {"public_name": _("Your friends will see")}
        help_texts = {
            "public_name": _("Your first name is enough. Without a name they read “A friend invites you”.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["public_name"].widget.attrs["autocomplete"] = "given-name"

    def clean_public_name(self) -> str:
        name = " ".join(self.cleaned_data["public_name"].split())
        if not people.is_persons_name(name):
            raise forms.ValidationError(_("Please give a name, without an address or a link."))
        return name

    def save(self, commit: bool = True) -> Advocate:
        advocate: Advocate = self.instance
        advocate.name_confirmed_at = advocate.name_confirmed_at or timezone.now()
        advocate.save(update_fields=["public_name", "name_confirmed_at"])
        people.forget_code(advocate)
        return advocate


def may_be_named(advocate: Advocate) -> bool:
    """Do they refer, and have they seen the name that others would read?"""
    return bool(
        advocate.state == Advocate.State.ACTIVE
        and advocate.name_confirmed_at is not None
        and advocate.public_name
    )


def leave(advocate: Advocate) -> bool:
    """They refer no longer, and nobody reads of them any more; whether that changed anything now."""
    with transaction.atomic():
        left = people.leave_program(advocate)
        if left:
            recognition.forget_recognition(advocate)
    return left


def come_back(advocate: Advocate) -> bool:
    """They refer again; whether that changed anything now. Leaderboards and thanks wait for a new word of theirs."""
    return people.return_to_program(advocate)
