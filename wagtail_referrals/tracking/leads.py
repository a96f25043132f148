"""Addresses that visitors leave to be sent their invitation: keeping few, and forgetting them as soon as can be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wagtail_referrals.people import email_key, email_of_account
from wagtail_referrals.people.models import Advocate, CustomerEmail
from wagtail_referrals.tracking.models import Claim, Lead

# How long an address stays when the invitation is over: whoever opens the mail late can still have it removed by it.
KEPT_DAYS: Final = 30
# New addresses that may be left with the invitations of one referrer within 24 hours: the mails go to anybody whose
# address somebody types.
ADDRESSES_A_DAY: Final = 50
# Invitations of one referrer that the form alone may save within 24 hours, with whatever address. Each holds a part of
# the program's budget, and a script has a fresh browser every time.
INVITATIONS_A_DAY: Final = 200
BATCH: Final = 500


@sensitive_variables()
def keep_address(
    claim: Claim,
    email: str,
    *,
    consent: str,
    wants_reminders: bool = False,
    language: str = "",
    now: datetime | None = None,
) -> Lead | None:
    """The address that was left with this invitation, the same one twice being one; ``None`` where there are too many.

    ``consent``: the words that were agreed to. Inside a transaction; locks the referrer, so that all are counted.
    """
    moment = now or timezone.now()
    Advocate.objects.select_for_update(no_key=True).get(pk=claim.advocate_id)
    known = Lead.objects.filter(claim=claim, email=email).first()
    if known is not None:
        known.consent, known.wants_reminders, known.language = consent, wants_reminders, language
        known.save(update_fields=["consent", "wants_reminders", "language"])
        return known
    today = Lead.objects.filter(claim__advocate=claim.advocate_id, created_at__gt=moment - timedelta(days=1))
    if today.count() >= ADDRESSES_A_DAY:
        return None
    return Lead.objects.create(
        claim=claim,
        email=email,
        consent=consent,
        wants_reminders=wants_reminders,
        language=language,
        created_at=moment,
    )


def is_one_too_many(claim: Claim, now: datetime) -> bool:
    """Has the form saved as many invitations of this referrer as it may, without this new one? Their friends can still
    order: what is saved with a basket or an account does not count.

    Inside a transaction, which is to be rolled back then; locks the referrer, so that all are counted.
    """
    Advocate.objects.select_for_update(no_key=True).get(pk=claim.advocate_id)
    by_the_form = Claim.objects.filter(
        advocate=claim.advocate_id,
        created_at__gt=now - timedelta(days=1),
        source=Claim.Source.LINK,
        user=None,
        email_hash="",
        baskets=None,
    )
    return by_the_form.exclude(pk=claim.pk).count() >= INVITATIONS_A_DAY


def find_lead(token: UUID) -> Lead | None:
    """By what the links of the mail name, with the invitation and whose it is. 1 query."""
    return (
        Lead.objects.filter(token=token)
        .select_related("claim__visit__terms", "claim__visit__advocate")
        .first()
    )


@sensitive_variables()
def remove_address(token: UUID) -> str:
    """Delete the address that the mail with this token went to, whosever invitation it was left with; "" if it is gone
    already.
    """
    email = Lead.objects.filter(token=token).values_list("email", flat=True).first() or ""
    if email:
        Lead.objects.filter(email__iexact=email).delete()
    return email


def forget_leads(*, now: datetime | None = None) -> int:
    """Delete the addresses that are for nothing any more; their number. Called by the sweep.

    Those whose invitation was used or replaced by another one, was over ``KEPT_DAYS`` ago, and those of customers.
    """
    moment = now or timezone.now()
    over = Lead.objects.filter(
        Q(claim__state__in=(Claim.State.USED, Claim.State.REPLACED))
        | Q(claim__expires_at__lt=moment - timedelta(days=KEPT_DAYS))
    )
    count, _of_each = over.delete()
    last = 0
    while rows := list(
        Lead.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "email")[:BATCH],
    ):
        last = rows[-1][0]
        keys = {pk: email_key(email) for pk, email in rows}
        customers = set(
            CustomerEmail.objects.filter(email_hash__in=set(keys.values())).values_list(
                "email_hash", flat=True
            )
        )
        gone = [pk for pk, key in keys.items() if key in customers]
        if gone:
            Lead.objects.filter(pk__in=gone).delete()
            count += len(gone)
    return count


def forget_leads_of(user: Any, claims: list[int]) -> None:
    """A customer's account is deleted: what they left before they had one goes too."""
    theirs = Q(claim__in=claims)
    if email := email_of_account(user):
        theirs |= Q(email__iexact=email)
    Lead.objects.filter(theirs).delete()
