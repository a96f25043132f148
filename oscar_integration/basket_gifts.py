"""Free products in the basket: put in with their voucher, taken out with it, and never charged by surprise.

Oscar never adds what an offer makes free. ``tend`` looks after it at each step of a shopper: what may be had and is not
there is put in; what we put in and may not be had (any more) is taken out; where the shopper took the product out, the
voucher goes too. What cannot be had now is not lost: the voucher waits, in the basket or in the account.

The session remembers which pieces we put in. Where it does not, as on another device, nothing is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from oscar.core.utils import get_default_currency

from oscar_integration import gifts
from oscar_integration.remembered import memory, remember
from oscar_integration.vouchers import Gift, applied_codes, apply_offers, gifts_of, line_of
from wagtail_referrals import credit, people, rewards


@dataclass(frozen=True)
class Placed:
    """A gift that stood in the basket when it was last looked at. ``put``: by us, so that we take it out again."""

    product_id: int
    put: bool


# Words that need the total, which is known once everything has been worked out.
Words = Callable[[], str]


def placed_in(request: HttpRequest) -> dict[str, Placed]:
    """By code, what the session remembers of the request's basket. No query."""
    pk = request.basket.pk  # type: ignore[attr-defined]
    found = memory(request).get("gifts")
    if not pk or not isinstance(found, dict):
        return {}
    # At a login the basket becomes another one, with the voucher; after an order it is another one, without.
    moved = gifts_of(request.basket)  # type: ignore[attr-defined]
    return {
        code: Placed(product_id, bool(put))
        for code, (number, product_id, put) in found.items()
        if number == pk or code in moved
    }


def has_gifts(request: HttpRequest) -> bool:
    """Is there anything to look after? No query beyond those of the basket, which is loaded."""
    return bool(gifts_of(request.basket) or memory(request).get("gifts"))  # type: ignore[attr-defined]


def tend(request: HttpRequest, *, asked: Collection[str] = ()) -> bool:
    """Bring the gifts of the basket in order, and say what changed. Whether something did.

    ``asked``: codes that the shopper has just asked for. They are put in also where nothing else is in the basket, and
    get an answer in any case.
    """
    basket = request.basket  # type: ignore[attr-defined]
    if not has_gifts(request) or not basket.pk or not basket.can_be_edited:
        return False
    work = _Tending(request, asked)
    for code, placed in placed_in(request).items():
        if code not in gifts_of(basket):
            work.without_voucher(code, placed)
    for gift in list(gifts_of(basket).values()):
        work.look_after(gift)
    work.finish()
    return work.changed


def take_out_with(request: HttpRequest, code: str) -> str:
    """The shopper has taken this voucher out of the basket: the piece that we put in goes too; says so, or ""."""
    placed = placed_in(request).get(code)
    if placed is None:
        return ""
    work = _Tending(request)
    work.without_voucher(code, placed)
    work.say = []
    work.finish()
    return (
        _("“%(product)s” was taken out too.") % {"product": title_of(placed.product_id)}
        if work.changed
        else ""
    )


class _Tending:
    """One look at the gifts of a basket."""

    def __init__(self, request: HttpRequest, asked: Collection[str] = ()) -> None:
        self.request, self.asked = request, asked
        self.basket: Any = request.basket  # type: ignore[attr-defined]
        self.placed = placed_in(request)
        self.changed = False
        self.say: list[tuple[int, Words]] = []
        self.told: list[str] = list(memory(request).get("gifts_told", ()))
        self.removed: list[str] = []

    def finish(self) -> None:
        if self.changed:
            apply_offers(self.request)
        remember(
            self.request,
            gifts={
                code: [self.basket.pk, placed.product_id, int(placed.put)]
                for code, placed in self.placed.items()
            },
            gifts_told=self.told[-10:],
            removed=[*memory(self.request).get("removed", ()), *self.removed][-10:],
        )
        for level, words in self.say:
            messages.add_message(self.request, level, words(), fail_silently=True)

    def without_voucher(self, code: str, placed: Placed) -> None:
        """The voucher has left the basket, or nothing is in it any more."""
        del self.placed[code]
        if placed.put and self._take_out(placed.product_id):
            self.say.append((messages.WARNING, lambda: self._left(placed.product_id)))

    def look_after(self, gift: Gift) -> None:
        line = line_of(self.basket.all_lines(), gift.product_id)
        if line is None:
            self._without_product(gift)
        else:
            self._with_product(gift, line)

    def _with_product(self, gift: Gift, line: Any) -> None:
        placed = self.placed.get(gift.code)
        put = placed is not None and placed.put
        if not gift.allowed:
            self.placed.pop(gift.code, None)
            if put:
                self._take_out(gift.product_id)
                self._tell(gift, messages.WARNING, self._why_not(gift), again=True)
            else:
                self._tell(gift, messages.INFO, self._why_not(gift))
            return
        if put and not line.purchase_info.availability.is_purchase_permitted(line.quantity)[0]:
            # Left in, it would stop the checkout of everything else.
            del self.placed[gift.code]
            self._take_out(gift.product_id)
            self._tell(gift, messages.WARNING, "sold_out", again=True)
            return
        if placed is None and gift.code not in applied_codes(self.basket):
            self._tell(gift, messages.INFO, "taken")
            return
        self.placed[gift.code] = Placed(gift.product_id, put)
        if placed is None:
            self.say.append((messages.SUCCESS, lambda: self._here(gift)))
        elif gift.code in self.asked:
            self.say.append((messages.INFO, lambda: _("It is in your basket already.")))

    def _without_product(self, gift: Gift) -> None:
        if self.placed.pop(gift.code, None) is not None and gift.code not in self.asked:
            if len(self.basket.all_lines()):
                self._without_both(gift)
            # An emptied basket is begun anew: the gift comes with the first thing in it.
            return
        if not gift.allowed:
            self._tell(gift, messages.INFO, self._why_not(gift))
        elif not len(self.basket.all_lines()) and gift.code not in self.asked:
            self._tell(gift, messages.INFO, "empty")
        elif self._put_in(gift.product_id):
            self.placed[gift.code] = Placed(gift.product_id, put=True)
            self.told = [told for told in self.told if not told.startswith(gift.code)]
            self.say.append((messages.SUCCESS, lambda: self._put(gift)))
        else:
            self._tell(gift, messages.WARNING, "sold_out")

    def _without_both(self, gift: Gift) -> None:
        """The shopper has taken the product out, so they do not want it."""
        self.basket.vouchers.remove(*self.basket.vouchers.filter(code=gift.code))
        self.removed.append(gift.code)
        self.changed = True
        self.say.append((messages.INFO, lambda: self._taken_out(gift)))

    # The basket's lines

    def _put_in(self, product_id: int) -> bool:
        """Whether one piece could be put in: it is sold, in stock, in the basket's currency."""
        done = put_in(self.basket, product_id)
        self.changed |= done
        return done

    def _take_out(self, product_id: int) -> bool:
        line = line_of(self.basket.all_lines(), product_id)
        if line is None:
            return False
        if line.quantity > 1:
            line.quantity -= 1
            line.save()
        else:
            line.delete()
        self.changed = True
        return True

    # Words

    def _tell(self, gift: Gift, level: int, why: str, *, again: bool = False) -> None:
        """Say why it is not there; once for each reason, unless it is news or was asked for."""
        key = f"{gift.code}:{why}"
        if key in self.told and not again and gift.code not in self.asked:
            return
        self.told = [*(told for told in self.told if told != key), key]
        self.say.append((level, lambda: self._absent(gift, why)))

    def _why_not(self, gift: Gift) -> str:
        return "refused" if gift.condition.is_met(self.basket) else "minimum"

    def _total(self) -> str:
        return total_words(self.basket)

    def _put(self, gift: Gift) -> str:
        words = {"product": title_of(gift.product_id), "total": self._total(), "name": inviter(gift.code)}
        if words["name"]:
            return (
                _("Invited by %(name)s: a free “%(product)s” is in the basket. The total is %(total)s.")
                % words
            )
        return _("Your reward is in the basket: a free “%(product)s”. The total is %(total)s.") % words

    def _here(self, gift: Gift) -> str:
        words = {"product": title_of(gift.product_id), "total": self._total(), "name": inviter(gift.code)}
        if words["name"]:
            return (
                _(
                    "Invited by %(name)s: one “%(product)s” in your basket costs nothing. The total is %(total)s."
                )
                % words
            )
        return (
            _("Your reward: one “%(product)s” in your basket costs nothing. The total is %(total)s.") % words
        )

    def _left(self, product_id: int) -> str:
        return _("The free “%(product)s” has left the basket. The total is %(total)s.") % {
            "product": title_of(product_id),
            "total": self._total(),
        }

    def _taken_out(self, gift: Gift) -> str:
        grant = rewards.discount_by_code(gift.code)
        words = {"product": title_of(gift.product_id), "until": _until(grant)}
        if grant is not None and grant.claim is not None:
            words["code"] = people.code_of(grant.claim.advocate)
            return (
                _(
                    "You have taken the free “%(product)s” out. It is saved for you until %(until)s: to have it back, "
                    "type the code %(code)s as a voucher code."
                )
                % words
            )
        words["code"] = gift.code
        return (
            _(
                "You have taken the free “%(product)s” out. Your reward is not lost: to have it back, type the code "
                "%(code)s as a voucher code, or use it from your account."
            )
            % words
        )

    def _absent(self, gift: Gift, why: str) -> str:
        """Why a gift is not in the basket, and that it is not lost."""
        words = {"product": title_of(gift.product_id)}
        if why == "minimum":
            condition = gift.condition
            amount = condition.value
            currency = condition.currency or self.basket.currency or get_default_currency()
            if amount and currency == (self.basket.currency or currency):
                text = _("The free “%(product)s” comes with other goods for %(minimum)s or more.") % {
                    **words,
                    "minimum": credit.format_money(amount, currency),
                }
            else:
                text = _("The free “%(product)s” cannot be had in this currency.") % words
        elif why == "empty":
            text = (
                _("The free “%(product)s” comes into the basket with the first thing that you add.") % words
            )
        elif why == "taken":
            text = _("Another discount makes “%(product)s” cheaper already.") % words
        elif why == "sold_out":
            text = _("“%(product)s” cannot be had at the moment, so it is not in the basket.") % words
        else:
            text = _("The free “%(product)s” can no longer be had.") % words
            if line_of(self.basket.all_lines(), gift.product_id) is not None:
                text += " " + _("The total is %(total)s.") % {"total": self._total()}
            return text
        until = _until(rewards.discount_by_code(gift.code))
        saved = (
            _("It is saved for you until %(until)s.") % {"until": until}
            if until
            else _("It is saved for you.")
        )
        return f"{text} {saved}"


def put_in(basket: Any, product_id: int) -> bool:
    """Put one piece of a product into a basket; False where it is not sold, not in stock or in another currency."""
    product = gifts.giftable().filter(pk=product_id, is_public=True).first()
    if product is None or not basket.is_quantity_allowed(1)[0]:
        return False
    info = basket.get_stock_info(product, [])
    if (
        not info.price.exists
        or info.stockrecord is None
        or not info.availability.is_purchase_permitted(1)[0]
        or (basket.currency and info.price.currency != basket.currency)
    ):
        return False
    basket.add_product(product, 1)
    return True


def title_of(product_id: int) -> str:
    """The product's title in the current language."""
    product = gifts.giftable().filter(pk=product_id).first()
    return str(product.get_title()) if product is not None else _("product that is no longer sold")


def inviter(code: str) -> str:
    """Who invited the friend whose discount this is, "" for a reward."""
    grant = rewards.discount_by_code(code)
    if grant is None or grant.claim is None:
        return ""
    return people.invitation_name(grant.claim.advocate.public_name)


def _until(grant: Any) -> str:
    moment: datetime | None = grant.expires_at if grant is not None else None
    return date_format(localtime(moment), "DATE_FORMAT") if moment is not None else ""


def total_words(basket: Any) -> str:
    total = basket.total_incl_tax if basket.is_tax_known else basket.total_excl_tax
    return credit.format_money(total, basket.currency or get_default_currency())
