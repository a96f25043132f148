"""Keyed hashes: comparing addresses without storing them."""

from __future__ import annotations

from django.utils.crypto import salted_hmac


def normalise_email(email: str) -> str:
    """The address under which variants of one mailbox meet: case, dots and +tags of the local part dropped.

    Some mail providers tell ``a.b@`` from ``ab@``; a referral program has more to lose from one person who refers
    themselves than from two people who share all letters of an address.
    """
    local, at, domain = email.strip().casefold().rpartition("@")
    if not at:
        return domain
    bare = local.split("+", 1)[0].replace(".", "")
    return f"{bare or local}@{domain}"


def keyed_hash(purpose: str, value: str) -> str:
    """64 hexadecimal digits that only this site can compute (keyed by ``SECRET_KEY``); "" for an empty value."""
    if not value:
        return ""
    return salted_hmac(f"wagtail_referrals.{purpose}", value, algorithm="sha256").hexdigest()


def email_key(email: str) -> str:
    """Keyed hash of the normalised address; "" for none."""
    return keyed_hash("email", normalise_email(email or ""))
