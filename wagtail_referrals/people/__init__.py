"""Customers who refer, and their codes."""

from wagtail_referrals.people.advocates import (
    adopt_guest,
    advocate_for,
    advocate_for_guest,
    find_advocate,
    forget_person,
    invitation_name,
    mask,
)
from wagtail_referrals.people.codes import (
    CodeHolder,
    code_of,
    find_code,
    forget_code,
    normalise_code,
    share_path,
)
from wagtail_referrals.people.corrections import (
    ADJUST_ACTION,
    NOTE_LENGTH,
    Correction,
    correct_credit,
    corrections_of,
)
from wagtail_referrals.people.hashing import (
    email_key,
    email_of_account,
    exact_email_key,
    keyed_hash,
    normalise_email,
)

__all__ = [
    "ADJUST_ACTION",
    "NOTE_LENGTH",
    "CodeHolder",
    "Correction",
    "adopt_guest",
    "advocate_for",
    "advocate_for_guest",
    "code_of",
    "correct_credit",
    "corrections_of",
    "email_key",
    "email_of_account",
    "exact_email_key",
    "find_advocate",
    "find_code",
    "forget_code",
    "forget_person",
    "invitation_name",
    "keyed_hash",
    "mask",
    "normalise_code",
    "normalise_email",
    "share_path",
]
