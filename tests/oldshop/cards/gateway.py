"""The payment provider. This one lives in the project and takes no money."""

import uuid

from django.utils.translation import gettext as _
from oscar.apps.payment.exceptions import UnableToTakePayment

from cards.models import Charge

ACCEPTED = "4242424242424242"
DECLINED = "4000000000000002"


def charge(order_number, amount, currency, bankcard):
    """Take the amount from the card and return the Charge.

    Raises UnableToTakePayment when the bank refuses; the checkout shows its text.
    """
    accepted = bankcard.number != DECLINED
    answer = Charge.objects.create(
        order_number=order_number,
        reference=uuid.uuid4().hex[:16].upper(),
        amount=amount,
        currency=currency,
        last4=bankcard.number[-4:],
        accepted=accepted,
    )
    if not accepted:
        raise UnableToTakePayment(_("Your bank declined this card. Please try another one."))
    return answer
