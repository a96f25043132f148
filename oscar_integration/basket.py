"""Invitations and Oscar's baskets: tying them, putting the friend's discount in, taking it out, telling the shopper.

Whatever fails here is logged, and the shopper goes on without it. A request without a share link and without an
invitation costs no query.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.functional import SimpleLazyObject, empty
from django.utils.html import conditional_escape
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model
from oscar.core.utils import redirect_to_referrer

from oscar_integration import basket_gifts, conf, vouchers
from oscar_integration.basket_gifts import total_words
from oscar_integration.codes import is_running_voucher
from oscar_integration.remembered import memory, remember
from oscar_integration.vouchers import applied_codes, apply_offers
from wagtail_referrals import credit, people, rewards, tracking

if TYPE_CHECKING:
    from oscar.apps.basket.views import BasketView as _BasketView
    from oscar.apps.basket.views import VoucherAddView as _VoucherAddView
else:
    _BasketView = _VoucherAddView = object

logger = logging.getLogger("oscar_integration")


# Without a request


def attach_claim(basket: Any, token: str, *, now: Any = None) -> Any | None:
    """Tie an invitation to a basket that no browser fills: a headless shop's, an app's, one filled by staff.

    ``token`` is what ``tracking.token_for(visit)`` or ``request.referral.token`` gave. The friend's discount is put
    into the basket; as after adding a product, offers are to be applied afterwards. Returns the claim, ``None`` for a
    token that is forged, too old or refused. Call it again when the basket gets an owner.
    """
    if not isinstance(token, str) or not token:
        return None
    if basket.pk is None:
        basket.save()
    with transaction.atomic():
        claim = rewards.commit(
            token=token,
            basket_reference=str(basket.pk),
            user=basket.owner,
            language=get_language() or "",
            now=now,
        )
        if claim is None:
            return None
        added = add_vouchers(basket, [grant.code for grant in rewards.active_discounts(claim)])
        if basket.has_strategy and not basket.is_empty:
            put_gifts(basket, added)
    if added:
        basket.reset_offer_applications()
    return claim


def put_gifts(basket: Any, added: Iterable[Any]) -> None:
    """Put in what these vouchers make free, where the minimum is met. Taking it out again is the caller's."""
    for voucher in added:
        for offer in voucher.offers.select_related("condition"):
            condition = offer.condition.proxy()
            if not isinstance(condition, vouchers.GiftCondition) or not condition.is_met(basket):
                continue
            if vouchers.line_of(basket.all_lines(), condition.product_id) is None:
                basket_gifts.put_in(basket, condition.product_id)


def add_vouchers(basket: Any, codes: Iterable[str]) -> list[Any]:
    """Put the vouchers with these codes into the basket; those that were not in it."""
    wanted = [code for code in codes if code]
    if not wanted:
        return []
    Voucher = get_model("voucher", "Voucher")
    missing = list(Voucher.objects.filter(code__in=wanted).exclude(basket=basket.pk))
    if missing:
        basket.vouchers.add(*missing)
        # Oscar counts additions, and fails when more are taken out than were put in.
        Voucher.objects.filter(pk__in=[voucher.pk for voucher in missing]).update(
            num_basket_additions=F("num_basket_additions") + 1
        )
    return missing


# Rewards that a customer uses


def use_discount(request: HttpRequest, grant: Any) -> None:
    """Put a discount that may be used into the basket of this request, with its product, and say what it gives."""
    basket = request.basket  # type: ignore[attr-defined]
    if basket.pk is None:
        basket.save()
    removed = [code for code in memory(request).get("removed", ()) if code != grant.code]
    remember(request, removed=removed)
    with transaction.atomic():
        add_vouchers(basket, [grant.code])
        apply_offers(request)
        if grant.code in vouchers.gifts_of(basket):
            basket_gifts.tend(request, asked=[grant.code])
        else:
            _say_reward(request, grant)


def accept_discount(request: HttpRequest, text: str) -> bool:
    """Take the code of a reward that was typed into the voucher field; False leaves it to Oscar's own answer."""
    basket = request.basket  # type: ignore[attr-defined]
    grant = rewards.discount_by_code(text) if vouchers.is_ours(text) else None
    if grant is None:
        return False
    if grant.user_id is not None and not request.user.is_authenticated:
        messages.info(
            request, _("This code belongs to an account: please sign in to use it."), fail_silently=True
        )
        return True
    user_id = request.user.pk
    if rewards.discount_refusal(grant, user_id=user_id, basket_reference=str(basket.pk or "")) is not None:
        return False
    use_discount(request, grant)
    return True


def _say_reward(request: HttpRequest, grant: Any) -> None:
    basket = request.basket  # type: ignore[attr-defined]
    application = next(
        (
            application
            for application in basket.offer_applications
            if application["voucher"] is not None and application["voucher"].code == grant.code
        ),
        None,
    )
    total = {"total": total_words(basket)}
    if application is None:
        voucher = get_model("voucher", "Voucher").objects.get(code=grant.code)
        messages.info(request, _waiting_words(basket, voucher), fail_silently=True)
    elif application["result"].affects_shipping:
        messages.success(request, _("It is in the basket: delivery is free."), fail_silently=True)
    else:
        text = _("Your discount is in the basket. The new total is %(total)s.") % total
        messages.success(request, text, fail_silently=True)


def _waiting_words(basket: Any, voucher: Any) -> str:
    """Why a discount that the shopper has asked for takes nothing off now."""
    if basket.is_empty:
        return _("Your discount is in the basket, and counts for what you add.")
    minimum = missed_minimum(basket, voucher)
    if minimum:
        return _(
            "Your discount counts from a basket of %(minimum)s on. It stays in the basket and is not lost."
        ) % {"minimum": minimum}
    others = other_offers(basket)
    if others:
        return _(
            "Your discount cannot be combined with %(offers)s and takes nothing off this basket. It is not lost."
        ) % {"offers": others}
    return _("Your discount takes nothing off this basket. It is not lost.")


# What the request knows


def loaded_basket(request: HttpRequest) -> Any | None:
    """The request's basket if somebody has asked for it already: asking may cost queries, and make one."""
    basket = getattr(request, "basket", None)
    if isinstance(basket, SimpleLazyObject) and basket._wrapped is empty:
        return None
    return basket


def basket_reference(request: HttpRequest) -> str:
    """Number of the basket that the request comes with, "" if it has none. No query."""
    basket = loaded_basket(request)
    if basket is not None:
        return str(basket.pk) if basket.pk else ""
    signed = request.COOKIES.get(settings.OSCAR_BASKET_COOKIE_OPEN)  # type: ignore[misc]
    if not signed or not hasattr(request, "basket"):
        return ""
    try:
        return str(int(Signer().unsign(signed)))
    except (BadSignature, ValueError):
        return ""


def has_trace(request: HttpRequest) -> bool:
    """Does anything in the request speak of an invitation? No query beyond what Oscar has asked anyway."""
    if tracking.arrival_of(request).visit_id is not None or memory(request).get("claim"):
        return True
    basket = loaded_basket(request)
    return basket is not None and bool(applied_codes(basket))


# The steps of a shopper


def commit(request: HttpRequest, *, user: Any = None, email: str = "") -> Any | None:
    """The claim of this request; made now if this is the first commitment after a share link."""
    arrival = tracking.arrival_of(request)
    person = user if user is not None else request.user
    claim = rewards.commit(
        visit=arrival.visit,
        basket_reference=basket_reference(request) or None,
        user=person if person.is_authenticated else None,
        email=email,
        language=get_language() or "",
        remembered=remembered_claim(request),
    )
    if claim is not None:
        remember(request, claim=claim.pk, basket=basket_reference(request))
    return claim


def remembered_claim(request: HttpRequest) -> int | None:
    """The claim that this browser made, its primary key. No query."""
    found = memory(request).get("claim")
    return found if isinstance(found, int) else None


def is_tied(request: HttpRequest) -> bool:
    """Was the request's basket tied to its invitation already? No query."""
    reference = basket_reference(request)
    return bool(reference) and memory(request).get("basket") == reference


def synchronise(request: HttpRequest, claim: Any, *, also: str = "") -> bool:
    """Make the basket hold the discounts that the claim gives now, and say what changed and why.

    ``also`` is said with a discount that was put in. Whether one was, or a free product.
    """
    basket = request.basket  # type: ignore[attr-defined]
    if not basket.pk or not basket.can_be_edited:
        return False
    grants = list(claim.discounts.all())
    waits = any(grant.state == "offered" for grant in grants)
    if waits and conf.gives_vouchers() and rewards.issue_waiting(claim=claim):
        grants, waits = list(claim.discounts.all()), False
    removed = set(memory(request).get("removed", ()))
    usable = [grant.code for grant in grants if grant.state == "issued" and grant.code not in removed]
    gone = {grant.code: grant.reason for grant in grants if grant.state == "void"}
    lost = applied_codes(basket) & set(gone)
    added = add_vouchers(basket, usable)
    if added or lost:
        apply_offers(request)
    news = basket_gifts.tend(request)
    found = vouchers.gifts_of(basket)
    others = [voucher for voucher in added if voucher.code not in found]
    if others:
        _say_added(request, claim, others, also)
    elif also:
        messages.info(request, also, fail_silently=True)
    if added:
        # Should it go again, that is news again.
        remember(request, told=[pk for pk in memory(request).get("told", ()) if pk != claim.pk])
    _say_withheld(request, claim, gone, lost)
    if waits:
        _say_waiting(request, claim)
    return bool(added) or news


def at_checkout(request: HttpRequest, email: str = "") -> None:
    """Before a page of the checkout shows a total: who is it, and may they have the discount?"""
    basket = request.basket  # type: ignore[attr-defined]
    if basket.is_empty or not is_concerned(request):
        return
    _look_at_basket(request, email=email or guest_email(request))
    remember(request, shown=sorted(applied_codes(basket)))


def is_concerned(request: HttpRequest) -> bool:
    """Does the request speak of an invitation, or of a gift in its basket? No query beyond those of the basket."""
    return has_trace(request) or basket_gifts.has_gifts(request)


def _look_at_basket(request: HttpRequest, email: str) -> None:
    claim = commit(request, email=email) if has_trace(request) else None
    if claim is not None:
        synchronise(request, claim)
    else:
        basket_gifts.tend(request)


def guest_email(request: HttpRequest) -> str:
    """The address that a guest has given in the checkout so far, "" if there is none. No query."""
    if request.user.is_authenticated or not hasattr(request, "session"):
        return ""
    return get_class("checkout.utils", "CheckoutSessionData")(request).get_guest_email() or ""


def at_basket_page(request: HttpRequest) -> None:
    """Before the basket page: what was in the basket before the link was opened gets its discount too."""
    if request.basket.is_empty:  # type: ignore[attr-defined]
        basket_gifts.tend(request)
    else:
        _look_at_basket(request, guest_email(request))


def after_addition(request: HttpRequest) -> None:
    """Something was put into the basket: the first commitment of a visitor, maybe."""
    _look_at_basket(request, "")


def after_removal(request: HttpRequest, voucher: Any) -> None:
    """A discount that the shopper took out stays out, until they type the code again: says so."""
    remember(request, removed=[*memory(request).get("removed", ()), voucher.code][-10:])
    product = basket_gifts.take_out_with(request, voucher.code)
    grant = rewards.discount_by_code(voucher.code)
    if grant is None or grant.state != "issued":
        return
    if grant.claim is not None:
        text = _(
            "Your invitation stays saved until %(date)s. To have the discount back, type the code %(code)s "
            "as a voucher code."
        ) % {
            "date": date_format(localtime(grant.claim.expires_at), "DATE_FORMAT"),
            "code": people.code_of(grant.claim.advocate),
        }
    else:
        text = _("Your reward is not lost: use it from your account, or type the code %(code)s.") % {
            "code": voucher.code
        }
    messages.info(request, f"{product} {text}".strip(), fail_silently=True)


def lost_since_shown(request: HttpRequest) -> bool:
    """Has a discount gone since the shopper was shown the total they agree to now? Then says so. No query."""
    shown = set(memory(request).get("shown", ()))
    if not shown - applied_codes(request.basket):  # type: ignore[attr-defined]
        return False
    remember(request, shown=[])
    messages.warning(
        request,
        _(
            "The discount of your invitation can no longer be used. The new total is %(total)s. Nothing was charged."
        )
        % {"total": total_words(request.basket)},  # type: ignore[attr-defined]
        fail_silently=True,
    )
    return True


def at_login(request: HttpRequest, user: Any) -> None:
    """Baskets are about to merge, which sends no signal: the claim goes with the person from here on.

    Where nobody asked for the basket before, asking for it now merges it.
    """
    claim = commit(request, user=user)
    if claim is not None and hasattr(request, "basket"):
        synchronise(request, claim)


# Words for the shopper


def refusal_words(reason: str) -> str:
    """Why the shopper cannot have the friend's discount, said to them."""
    words = {
        "existing_customer": _("This offer is for new customers, and you have ordered here before."),
        "own_link": _("This is your own invitation: it is for your friends."),
        "used": _("You have used an invitation to this offer already."),
        "lapsed": _("The days to order after the invitation are over."),
        "replaced": _("Another invitation has taken its place."),
    }
    return words.get(reason, _("This discount can no longer be used."))


def _say_added(request: HttpRequest, claim: Any, added: list[Any], also: str) -> None:
    basket = request.basket  # type: ignore[attr-defined]
    applications = {
        application["voucher"].pk: application
        for application in basket.offer_applications
        if application["voucher"]
    }
    name = people.invitation_name(claim.advocate.public_name)
    for voucher in added:
        application = applications.get(voucher.pk)
        if application is None:
            text = nothing_words(basket, voucher, claim.expires_at)
        elif application["result"].affects_shipping:
            text = _("Invited by %(name)s: delivery is free.") % {"name": name}
        else:
            text = _("Invited by %(name)s: your discount is in the basket. The new total is %(total)s.") % {
                "name": name,
                "total": total_words(basket),
            }
            others = other_offers(basket)
            if others:
                text += " " + _("It does not count for what %(offers)s makes cheaper already.") % {
                    "offers": others
                }
        messages.add_message(
            request,
            messages.INFO if application is None else messages.SUCCESS,
            f"{text} {also}".strip(),
            fail_silently=True,
        )


def other_offers(basket: Any) -> str:
    """Names of the offers and vouchers that are not ours and give this basket something."""
    names = [
        application["voucher"].name if application["voucher"] is not None else application["name"]
        for application in basket.offer_applications
        if application["voucher"] is None or not vouchers.is_ours(application["voucher"].code)
    ]
    return ", ".join(_("“%(name)s”") % {"name": name} for name in names)


def nothing_words(basket: Any, voucher: Any, expires_at: datetime) -> str:
    """Why the discount of an invitation that is in the basket takes nothing off now."""
    until = date_format(localtime(expires_at), "DATE_FORMAT")
    minimum = missed_minimum(basket, voucher)
    if minimum:
        return _(
            "The discount of your invitation counts from a basket of %(minimum)s on. It is saved until %(date)s."
        ) % {"minimum": minimum, "date": until}
    others = other_offers(basket)
    if others:
        return _(
            "The discount of your invitation cannot be combined with %(offers)s and takes nothing off this basket. "
            "It is saved until %(date)s."
        ) % {"offers": others, "date": until}
    return _("The discount of your invitation takes nothing off this basket. It is saved until %(date)s.") % {
        "date": until
    }


def missed_minimum(basket: Any, voucher: Any) -> str:
    """From which amount a voucher of ours counts, where the basket is below it; else ""."""
    conditions = [offer.condition.proxy() for offer in voucher.offers.select_related("condition")]
    minimums = [
        condition
        for condition in conditions
        if condition.value and condition.currency in ("", basket.currency) and not condition.is_met(basket)
    ]
    return credit.format_money(minimums[0].value, basket.currency) if minimums else ""


def _say_withheld(request: HttpRequest, claim: Any, gone: dict[str, str], lost: set[str]) -> None:
    """Say once for each invitation that its discount cannot be had, and why; always when it leaves the basket."""
    told = list(memory(request).get("told", ()))
    if not gone or (claim.pk in told and not lost):
        return
    reason = next((gone[code] for code in lost), next(iter(gone.values())))
    if not lost and reason not in ("existing_customer", "own_link", "used"):
        return
    remember(request, told=[*told, claim.pk])
    text = refusal_words(reason)
    basket = request.basket  # type: ignore[attr-defined]
    if not basket.is_empty:
        text += " " + _("The discount of your invitation is not in the basket: the total is %(total)s.") % {
            "total": total_words(basket)
        }
    messages.warning(request, text, fail_silently=True)


def _say_waiting(request: HttpRequest, claim: Any) -> None:
    """Say once for each invitation that its discount waits: the shop gives none at present."""
    told = list(memory(request).get("told", ()))
    if claim.pk in told:
        return
    remember(request, told=[*told, claim.pk])
    messages.info(
        request,
        _(
            "Your invitation is saved until %(date)s. Its discount cannot be used in the shop at the moment: "
            "the total is without it."
        )
        % {"date": date_format(localtime(claim.expires_at), "DATE_FORMAT")},
        fail_silently=True,
    )


# Oscar's basket page and its voucher field


class ReferralBasketMixin(_BasketView):
    """For the view of the basket page."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET":
            try:
                if is_concerned(request):
                    with transaction.atomic():
                        at_basket_page(request)
            except Exception:
                logger.exception("The invitation of a basket could not be looked at on its page")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def tend_gifts(self) -> bool:
        if not basket_gifts.has_gifts(self.request):
            return False
        with transaction.atomic():
            return basket_gifts.tend(self.request)

    def json_response(self, ctx: dict[str, Any], flash_messages: Any) -> HttpResponse:
        """Oscar's script has changed lines and shows the basket anew: with what that means for a free product."""
        response: HttpResponse
        try:
            if self.tend_gifts():
                formset = self.get_formset()(
                    queryset=self.get_queryset(), strategy=self.request.strategy, prefix=ctx["formset"].prefix
                )
                ctx = self.get_context_data(formset=formset, basket=self.request.basket)
                for message in messages.get_messages(self.request):
                    # Oscar's script writes them into the page as they are.
                    flash_messages.add_message(message.level, conditional_escape(str(message)))
        except Exception:
            logger.exception("The free products of a basket could not be looked at")
        response = super().json_response(ctx, flash_messages)
        return response


class ReferralCodeMixin(_VoucherAddView):
    """For the view behind the basket's voucher field: the shop's own vouchers first, then referral codes."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse
        try:
            text = form.cleaned_data["code"]
            if accept_discount(self.request, text) or accept_code(self.request, text):
                response = redirect_to_referrer(self.request, "basket:summary")
                return response
            before = self.ours_before()
        except Exception:
            logger.exception("A code in the voucher field could not be looked at as a referral code")
            before = {}
        response = super().form_valid(form)
        if before:
            try:
                self.say_what_gave_way(before)
            except Exception:
                logger.exception("What a voucher means for the referral discount could not be said")
        return response

    def ours_before(self) -> dict[str, Any]:
        """Our vouchers that give something now; Oscar then works out everything anew, as it will on the next page."""
        basket = self.request.basket
        codes = applied_codes(basket)
        if not codes:
            return {}
        found = {
            application["voucher"].code: application["voucher"]
            for application in basket.offer_applications
            if application["voucher"] is not None and application["voucher"].code in codes
        }
        basket.reset_offer_applications()
        return found

    def say_what_gave_way(self, before: dict[str, Any]) -> None:
        basket = self.request.basket
        apply_offers(self.request)
        if set(before) - applied_codes(basket):
            messages.warning(
                self.request,
                _(
                    "The discount of your invitation cannot be combined with %(offers)s and takes nothing off now. "
                    "Remove the other one to have it back. The new total is %(total)s."
                )
                % {"offers": other_offers(basket) or _("this voucher"), "total": total_words(basket)},
                fail_silently=True,
            )


def accept_code(request: HttpRequest, text: str) -> bool:
    """Take a referral code that was typed into the voucher field; False when it is none.

    A voucher of the shop that has this very code, and runs, comes first: the shop made it so.
    """
    basket = request.basket  # type: ignore[attr-defined]
    if not basket.pk or not people.normalise_code(text):
        return False
    if is_running_voucher(text):
        return False
    with transaction.atomic():
        before = tracking.claim_of_basket(str(basket.pk))
        was_open = before is not None and tracking.claim_is_open(before)
        typed = rewards.typed_code(
            text,
            basket_reference=str(basket.pk),
            user=request.user if request.user.is_authenticated else None,
            email=guest_email(request),
            site_id=tracking.site_id_for(request),
            language=get_language() or "",
            remembered=remembered_claim(request),
        )
        if typed.outcome == "unknown":
            return False
        if typed.outcome == "refused" or typed.claim is None:
            messages.error(request, typed.message, fail_silently=True)
            return True
        # Whoever types it wants it, also after having taken it out of the basket.
        remember(request, claim=typed.claim.pk, removed=[], told=[])
        also = ""
        if before is not None and was_open and before.pk != typed.claim.pk:
            also = _("It takes the place of the invitation that you had before.")
        if not synchronise(request, typed.claim, also=also):
            messages.success(request, f"{typed.message} {also}".strip(), fail_silently=True)
    return True
