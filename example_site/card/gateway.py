"""The "bank": authorise, answer, capture, refund, void, and charge a card that the shop keeps.

Every function locks its charge and may be called twice.
"""

import secrets
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _
from oscar.apps.payment.exceptions import UnableToTakePayment

from example_site.card.models import DemoCharge

ACCEPTED = "4242424242424242"
DECLINED = "4000000000000002"
ASKS_THE_BANK = "4000000000003220"
# Pays at the checkout, and is declined when the shop charges it later without the customer.
DECLINED_LATER = "4000000000000341"
# Stands for no card: noted as declined, so that the same key has the same answer.
NO_CARD = ""

Status = DemoCharge.Status


@transaction.atomic
def authorise(order_number: str, amount: Decimal, currency: str, card_number: str) -> DemoCharge:
    """Reserve the amount on the card and return the charge, whose status is AUTHORISED, AT_BANK or DECLINED.

    The same order number with the same amount is the same charge: a second click takes nothing more. After a refusal,
    or when the amount changed, the charge starts again in the same row.
    """
    charge, created = DemoCharge.objects.select_for_update().get_or_create(
        order_number=str(order_number),
        defaults={
            "amount": amount,
            "currency": currency,
            "last4": card_number[-4:],
            "status": _first_answer(card_number),
        },
    )
    if created:
        return charge
    if charge.status == Status.CAPTURED:
        return charge
    if charge.status == Status.AUTHORISED and charge.amount == amount and charge.currency == currency:
        return charge
    charge.amount, charge.currency = amount, currency
    charge.last4, charge.status = card_number[-4:], _first_answer(card_number)
    charge.attempts += 1
    charge.save()
    return charge


def _first_answer(card_number: str) -> str:
    if card_number in (ACCEPTED, DECLINED_LATER):
        return Status.AUTHORISED
    if card_number == ASKS_THE_BANK:
        return Status.AT_BANK
    return Status.DECLINED


def keep(card_number: str) -> str:
    """A token that stands for this card from now on: what a shop may store of it, and what `charge_kept` takes."""
    return f"{card_number[-4:]}-{secrets.token_urlsafe(16)}"


def last4_of(token: str) -> str:
    """The last four digits of the card that a token stands for."""
    return token.partition("-")[0]


@transaction.atomic
def charge_kept(token: str, order_number: str, amount: Decimal, currency: str, key: str) -> DemoCharge:
    """Take the amount from a card that was kept, without the customer: the charge is CAPTURED or DECLINED.

    The same key is the same request and has the same answer, whatever card the customer keeps meanwhile. After a
    refusal another key tries again, in the same row: an order is charged once in the end.
    """
    last4 = last4_of(token)
    # Confirming each payment at the bank is for payments that the customer makes.
    refused = token == NO_CARD or last4 in (DECLINED[-4:], DECLINED_LATER[-4:])
    status = Status.DECLINED if refused else Status.CAPTURED
    charge, created = DemoCharge.objects.select_for_update().get_or_create(
        order_number=str(order_number),
        defaults={
            "amount": amount,
            "currency": currency,
            "last4": last4,
            "status": status,
            "request_key": key,
        },
    )
    if created or charge.status == Status.CAPTURED or charge.request_key == key:
        return charge
    charge.amount, charge.currency = amount, currency
    charge.last4, charge.status, charge.request_key = last4, status, key
    charge.attempts += 1
    charge.save()
    return charge


@transaction.atomic
def answer(token: str, status: str) -> DemoCharge | None:
    """Record what the customer did on the bank's page; None for an unknown token. Only a waiting charge changes."""
    charge = DemoCharge.objects.select_for_update().filter(token=token).first()
    if charge is not None and charge.status == Status.AT_BANK:
        charge.status = status
        charge.save(update_fields=["status", "updated_at"])
    return charge


@transaction.atomic
def capture(order_number: str) -> Decimal:
    """Take the authorised amount and return what was taken by this call (0.00 when there was nothing left to take)."""
    charge = DemoCharge.objects.select_for_update().filter(order_number=str(order_number)).first()
    if charge is None or charge.status != Status.AUTHORISED:
        return Decimal("0.00")
    charge.status = Status.CAPTURED
    charge.save(update_fields=["status", "updated_at"])
    return charge.amount


@transaction.atomic
def refund(order_number: str, amount: Decimal) -> Decimal:
    """Give back at most the amount, never more than was taken; return what was given back."""
    charge = DemoCharge.objects.select_for_update().filter(order_number=str(order_number)).first()
    if charge is None or charge.status != Status.CAPTURED:
        return Decimal("0.00")
    given = max(Decimal("0.00"), min(amount, charge.amount - charge.refunded))
    charge.refunded += given
    charge.save(update_fields=["refunded", "updated_at"])
    return given


@transaction.atomic
def void(order_number: str) -> bool:
    """Let go of an amount that was authorised but not taken; True when there was one."""
    charge = DemoCharge.objects.select_for_update().filter(order_number=str(order_number)).first()
    if charge is None or charge.status not in (Status.AUTHORISED, Status.AT_BANK):
        return False
    charge.status = Status.VOID
    charge.save(update_fields=["status", "updated_at"])
    return True


def refusal(charge: DemoCharge) -> UnableToTakePayment:
    """The error that Oscar's checkout shows on the payment step."""
    if charge.status == Status.ABANDONED:
        return UnableToTakePayment(_("You left your bank's page: nothing was taken. You can try again."))
    return UnableToTakePayment(_("Your bank declined this card: nothing was taken. Please try another card."))
