"""Keyed hashes: comparing addresses without storing them."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.crypto import salted_hmac


def email_of_account(user: Any) -> str:
    """The address of an account, in whatever field its model keeps it; "" for none and for nobody."""
    return getattr(user, get_user_model().get_email_field_name(), "") or "" if user is not None else ""


def normalise_email(email: str) -> str:
    """The address under which variants of one mailbox meet: case, dots and +tags of the local part dropped.

    Some mail providers tell ``a.b@`` from ``ab@``; a referral program has more to lose from one person who refers
    themselves than from two people who share all letters of an address.
    """
    local, at, domain = unicodedata.normalize("NFKC", email).strip().casefold().rpartition("@")
    if not at:
        return domain
    bare = local.split("+", 1)[0].replace(".", "")
    return f"{bare or local}@{domain}"


def keyed_hash(purpose: str, value: str) -> str:
    """64 hexadecimal digits that only this site can compute (keyed by ``SECRET_KEY``); "" for an empty value."""
    if not value:
        return ""
    return salted_hmac(f"wagtail_referrals.{purpose}", value, algorithm="sha256").hexdigest()


def key_id() -> str:
    """Names the secret that keyed hashes are made with, and gives nothing of it away: 8 hexadecimal digits."""
    return keyed_hash("key", "id")[:8]


def exact_email_key(email: str) -> str:
    """Keyed hash of the very address, in any case; "" for none. Who has it may have what waits for it."""
    return keyed_hash("exact_email", unicodedata.normalize("NFC", email or "").strip().casefold())


def email_key(email: str) -> str:
    """Keyed hash of the normalised address; "" for none."""
    return keyed_hash("email", normalise_email(email or ""))
