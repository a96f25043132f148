"""What the package itself listens to. None of it may break the page or the job that sent the signal."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models import F, Q
from django.db.models.signals import post_delete, post_save, pre_delete
from django.utils import timezone
from wagtail.signals import published, unpublished

from wagtail_referrals import conf, insights, messages, recognition, signals
from wagtail_referrals.people import forget_person, remember_account
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import forget_open_terms, publish_terms
from wagtail_referrals.programs.models import Audience, Program
from wagtail_referrals.referrals import email_verified, forget_requests
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking import forget_leads, forget_leads_of
from wagtail_referrals.tracking.models import Claim

logger = logging.getLogger("wagtail_referrals")


def program_published(sender: type[Program], instance: Program, **kwargs: Any) -> None:
    """Pin the terms. The sweep does it again should that fail.

    Wagtail says so too when a program is only scheduled: what is not open yet promises nothing.
    """
    try:
        if instance.live:
            with transaction.atomic():
                publish_terms(instance)
    except Exception:
        logger.exception("Writing the terms of program %s failed; the sweep will try again.", instance.pk)
    _forget_programs()


def _forget_programs(**kwargs: Any) -> None:
    # Once now, for the rest of this request, and once when others can read what changed.
    forget_open_terms()
    transaction.on_commit(forget_open_terms, robust=True)


def guest_adopted(sender: Any, advocate: Advocate, **kwargs: Any) -> None:
    """What waited for the account can be given, also long after anybody looked at the orders."""
    with transaction.atomic():
        waiting = Reward.objects.filter(advocate=advocate, posted=0, state=Reward.State.WAITING)
        Referral.objects.filter(pk__in=waiting.values("referral_id")).update(
            next_check_at=timezone.now(), revision=F("revision") + 1
        )


def account_saved(
    sender: Any, instance: Any, raw: bool = False, update_fields: Any = None, **kwargs: Any
) -> None:
    """The account may have a new address. A login, which saves its date only, costs nothing."""
    if raw or (update_fields is not None and sender.get_email_field_name() not in update_fields):
        return
    try:
        with transaction.atomic():
            remember_account(instance)
    except Exception:
        logger.exception("The address of account %s could not be noted; the sweep will do it.", instance.pk)


def logged_in(sender: Any, user: Any = None, **kwargs: Any) -> None:
    """Where the shop verifies addresses, it may have done so since; else nothing can be new, and costs no query."""
    try:
        if user is not None and conf.get("EMAIL_IS_VERIFIED") is not None:
            with transaction.atomic():
                email_verified(user)
    except Exception:
        logger.exception("What waits for account %s could not be looked for.", user.pk)


def user_deleted(sender: Any, instance: Any, **kwargs: Any) -> None:
    """The person goes, the books stay. Not guarded: a half-removed person is worse than a deletion that says why."""
    forget_requests(instance)
    messages.forget_reader(instance)
    forget_person(instance)
    # A guest's invitation knows the address only: it is found by the referral that became theirs.
    claims = Claim.objects.filter(Q(user=instance) | Q(referral__friend=instance))
    ids = list(claims.values_list("pk", flat=True))
    forget_leads_of(instance, ids)
    Claim.objects.filter(pk__in=ids).update(email_hash="")
    DiscountGrant.objects.filter(Q(user=instance) | Q(claim__in=ids)).update(email_hash="")
    Referral.objects.filter(friend=instance).update(friend_email_hash="", friend_exact_email_hash="")


def sweeping(sender: Any, now: Any = None, **kwargs: Any) -> None:
    """Addresses of people who are no customers are kept for as long as they are needed."""
    with transaction.atomic():
        forget_leads(now=now)


def connect() -> None:
    # What is cached of open programs names who may offer them.
    for signal in (published, unpublished, post_save, post_delete):
        signal.connect(_forget_programs, sender=Audience, dispatch_uid="wagtail_referrals.audience")
    published.connect(program_published, sender=Program, dispatch_uid="wagtail_referrals.published")
    unpublished.connect(_forget_programs, sender=Program, dispatch_uid="wagtail_referrals.unpublished")
    post_save.connect(_forget_programs, sender=Program, dispatch_uid="wagtail_referrals.saved")
    post_delete.connect(_forget_programs, sender=Program, dispatch_uid="wagtail_referrals.deleted")
    post_save.connect(account_saved, sender=get_user_model(), dispatch_uid="wagtail_referrals.account_saved")
    user_logged_in.connect(logged_in, dispatch_uid="wagtail_referrals.logged_in")
    pre_delete.connect(user_deleted, sender=get_user_model(), dispatch_uid="wagtail_referrals.user_deleted")
    signals.sweeping.connect(sweeping, dispatch_uid="wagtail_referrals.leads")
    signals.guest_adopted.connect(guest_adopted, dispatch_uid="wagtail_referrals.guest_adopted")
    messages.connect()
    recognition.register()
    insights.connect()
