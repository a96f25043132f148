"""Customers who refer: finding and making them, their name as others see it."""

from __future__ import annotations

import logging
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import get_language, gettext

from wagtail_referrals import conf, signals
from wagtail_referrals.people.codes import code_of, forget_code, forget_texts
from wagtail_referrals.people.corrections import forget_notes
from wagtail_referrals.people.hashing import email_key, email_of_account, exact_email_key
from wagtail_referrals.people.models import Advocate

logger = logging.getLogger("wagtail_referrals")


def find_advocate(user: Any) -> Advocate | None:
    if user is None or not user.is_authenticated:
        return None
    return Advocate.objects.filter(user=user).first()


def advocate_for(user: Any) -> Advocate:
    """The customer's advocate with a code, made at the first call.

    The name is proposed from the account's first name, never from its e-mail address; the advocate sees and may
    change it before the first share.
    """
    advocate = find_advocate(user)
    if advocate is None:
        advocate = adopt_guest(user)
    if advocate is None:
        try:
            with transaction.atomic():
                advocate = Advocate.objects.create(
                    user=user,
                    public_name=proposed_name(user),
                    language=get_language() or "",
                    created_at=timezone.now(),
                )
        except IntegrityError:
            advocate = Advocate.objects.get(user=user)
        code_of(advocate)
    return advocate


def proposed_name(user: Any) -> str:
    name = (getattr(user, "first_name", "") or "").strip()
    return "" if "@" in name else name[:40]


def advocate_for_guest(email: str) -> Advocate:
    """The advocate of a guest order's e-mail address, of which only keyed hashes are kept.

    Rewards wait until somebody registers with that address.
    """
    key = exact_email_key(email)
    if not key:
        raise ValueError("a guest advocate needs an e-mail address")
    advocate = Advocate.objects.filter(exact_email_hash=key, user=None).first()
    if advocate is None:
        try:
            with transaction.atomic():
                advocate = Advocate.objects.create(
                    email_hash=email_key(email),
                    exact_email_hash=key,
                    language=get_language() or "",
                    created_at=timezone.now(),
                )
        except IntegrityError:
            advocate = Advocate.objects.get(exact_email_hash=key, user=None)
        code_of(advocate)
    return advocate


def email_is_theirs(user: Any) -> bool:
    """May the account have what waits for its address? As the shop answers by ``EMAIL_IS_VERIFIED``; never raises."""
    try:
        ask = conf.load("EMAIL_IS_VERIFIED")
        return ask is None or bool(ask(user))
    except Exception:
        logger.exception("Whether the address of account %s is verified could not be asked", user.pk)
        return False


def adopt_guest(user: Any) -> Advocate | None:
    """The guest advocate with this very address becomes the user's, if the address is theirs.

    Takes the place of one that the user has, as long as nobody came by that: else without effect.
    """
    key = exact_email_key(email_of_account(user))
    if not key or not Advocate.objects.filter(exact_email_hash=key, user=None).exists():
        return None
    if not email_is_theirs(user):
        return None
    try:
        with transaction.atomic():
            advocate = (
                Advocate.objects.select_for_update(no_key=True)
                .filter(exact_email_hash=key, user=None)
                .first()
            )
            if advocate is None:
                return None
            own = Advocate.objects.filter(user=user).first()
            if own is not None:
                _give_way(own, advocate)
            advocate.user = user
            advocate.public_name = advocate.public_name or proposed_name(user)
            advocate.save()
            signals.guest_adopted.send_robust(sender=Advocate, advocate=advocate)
    except (ProtectedError, IntegrityError):
        # Somebody came by the link of the other: both stay, and what waits goes on waiting.
        return None
    forget_code(advocate)
    return advocate


def _give_way(own: Advocate, guest: Advocate) -> None:
    """Delete ``own`` with its codes; what its owner and staff said stays. Raises ``ProtectedError`` if it was used."""
    codes = list(own.codes.values_list("text", flat=True))
    guest.public_name, guest.name_confirmed_at = own.public_name, own.name_confirmed_at
    # Whom staff stopped stays so, whichever of the two they stopped.
    guest.state = max(own.state, guest.state, key=Advocate.State.values.index)
    guest.language = own.language or guest.language
    own.codes.all().delete()
    own.delete()
    transaction.on_commit(lambda: forget_texts(codes), robust=True)


def invitation_name(public_name: str) -> str:
    """Who invites, as friends read it: "Camille", or "A friend"."""
    return public_name or gettext("A friend")


def mask(name: str) -> str:
    """A name of which others see the first letter only: "C…"."""
    return f"{name.strip()[:1].upper()}…" if name.strip() else "…"


def forget_person(user: Any) -> None:
    """Before a user is deleted: no name, hash, live code or note of theirs stays. The books keep their rows."""
    forget_notes(user)
    advocate = Advocate.objects.filter(user=user).first()
    if advocate is None:
        return
    advocate.public_name = ""
    advocate.email_hash = advocate.exact_email_hash = ""
    advocate.state = Advocate.State.BLOCKED
    advocate.save(update_fields=["public_name", "email_hash", "exact_email_hash", "state"])
    advocate.codes.update(is_active=False)
    forget_code(advocate)
