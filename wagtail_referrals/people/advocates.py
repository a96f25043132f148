"""Customers who refer: finding and making them, their name as others see it."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import get_language, gettext
from wagtail.log_actions import log
from wagtail.models import ModelLogEntry

from wagtail_referrals import conf, signals
from wagtail_referrals.people.codes import code_of, forget_code, forget_texts
from wagtail_referrals.people.corrections import forget_log_names, forget_notes
from wagtail_referrals.people.hashing import email_key, email_of_account, exact_email_key
from wagtail_referrals.people.models import Advocate

logger = logging.getLogger("wagtail_referrals")

# "J. P." is none; mail programs make a link of "shop.example".
_ADDRESS: Final = re.compile(r"[@/]|\w\.\w{2}")


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


def is_persons_name(text: str) -> bool:
    """Strangers read it in link previews and mails: no address, no link, nothing that cannot be seen."""
    return text.isprintable() and _ADDRESS.search(text) is None


def proposed_name(user: Any) -> str:
    """The account's first name, "" for none, and for what is no name of a person."""
    name = (getattr(user, "first_name", "") or "").strip()
    return name[:40] if is_persons_name(name) else ""


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
    guest.in_leaderboards = own.in_leaderboards
    # Whom staff stopped stays so, whichever of the two they stopped.
    guest.state = max(own.state, guest.state, key=Advocate.State.values.index)
    guest.language = own.language or guest.language
    # What they are asked, and have reported, is about orders that may still bring somebody.
    own.attribution_requests.update(advocate=guest)
    own.timeline.update(advocate=guest)
    # They did pass it on.
    own.shares.update(advocate=guest)
    own.codes.all().delete()
    own.delete()
    transaction.on_commit(lambda: forget_texts(codes), robust=True)


def leave_program(advocate: Advocate) -> bool:
    """The advocate stops referring by their own will; whether that changed anything now.

    Their link invites nobody any more; what was promised stays, and is paid. Who was paused or blocked cannot leave.
    """
    return _move(advocate, Advocate.State.ACTIVE, Advocate.State.LEFT)


def return_to_program(advocate: Advocate) -> bool:
    """Who has left by their own will refers again; whether that changed anything now. Nobody else comes back so."""
    return _move(advocate, Advocate.State.LEFT, Advocate.State.ACTIVE)


def may_set_state(advocate: Advocate, state: str) -> bool:
    """What staff may make of an advocate: nobody leaves, and who has left comes back, by the will of staff."""
    if advocate.user_id is None and not advocate.email_hash:
        # Of a deleted customer: there is nobody to refer.
        return False
    if state == Advocate.State.ACTIVE:
        return advocate.state != Advocate.State.LEFT
    return state in (Advocate.State.PAUSED, Advocate.State.BLOCKED)


def set_state(advocate: Advocate, state: str, *, actor: Any) -> bool:
    """Staff pause or block an advocate, or let them refer again; whether that changed anything now.

    Who had left by their own will before they were stopped is then where they were: has left. Raises ``ValueError``
    for what staff may not do. Locks the advocate.
    """
    with transaction.atomic():
        locked = Advocate.objects.select_for_update(no_key=True).get(pk=advocate.pk)
        if not may_set_state(locked, state):
            raise ValueError(f"nobody of the staff makes of referrer {locked.pk} one that is {state!r}")
        target = Advocate.State.LEFT if state == Advocate.State.ACTIVE and _had_left(locked) else state
        if locked.state == target:
            advocate.state = target
            return False
        _write_state(locked, target, actor)
    advocate.state = target
    return True


def _had_left(advocate: Advocate) -> bool:
    """Did they leave, by what the log says, and not come back since? Staff bring nobody back, so all others do."""
    if advocate.state == Advocate.State.ACTIVE:
        return False
    wanted = (Advocate.State.LEFT.value, Advocate.State.ACTIVE.value)
    latest = (
        ModelLogEntry.objects.for_instance(advocate)
        .filter(action="wagtail.edit", data__state__in=wanted)
        .order_by("-timestamp", "-pk")
        .first()
    )
    return latest is not None and latest.data["state"] == Advocate.State.LEFT


def _move(advocate: Advocate, source: str, target: str) -> bool:
    with transaction.atomic():
        locked = Advocate.objects.select_for_update(no_key=True).get(pk=advocate.pk)
        if locked.state != source:
            advocate.state = locked.state
            return False
        _write_state(locked, target, locked.user)
    advocate.state = target
    return True


def _write_state(locked: Advocate, target: str, actor: Any) -> None:
    """Inside its lock. What the log says is read again by ``_had_left``."""
    locked.state = target
    locked.save(update_fields=["state"])
    log(locked, "wagtail.edit", user=actor, data={"state": str(target)})
    codes = list(locked.codes.values_list("text", flat=True))
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
    forget_log_names(advocate)
    forget_code(advocate)
