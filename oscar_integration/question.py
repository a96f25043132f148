""" "Did a friend send you?" at Oscar's payment step, for who has no invitation: a code, or the friend's name and town.

A code does what it does in the basket's voucher field. A name is written down with the basket, and the answer on the
screen is the same whoever it is: see ``wagtail_referrals.referrals.requests``. Nothing here stops an order.

Off by default. Where the setting is off when the shop starts, no view is touched.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import Template
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from oscar_integration import basket as baskets
from oscar_integration import conf
from oscar_integration.checkout import extend
from wagtail_referrals import programs, tracking
from wagtail_referrals.referrals import (
    RequestError,
    name_friend,
    named_friend,
    referrals_of,
    unname_friend,
)

if TYPE_CHECKING:
    from oscar.apps.checkout.views import PaymentDetailsView as _PaymentDetailsView
else:
    _PaymentDetailsView = object

logger = logging.getLogger("oscar_integration")

# Value of "action" in what the form posts.
ACTION: Final = "referral-question"
# In the template's context: the page as the shop draws it.
PARENT: Final = "question_parent_template"


class QuestionForm(forms.Form):
    """A code, or a name and a town."""

    code = forms.CharField(
        label=gettext_lazy("Your friend's code"),
        required=False,
        max_length=64,
        widget=forms.TextInput(
            attrs={"class": "form-control", "autocomplete": "off", "autocapitalize": "characters"}
        ),
    )
    name = forms.CharField(
        label=gettext_lazy("Your friend's first and last name"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    town = forms.CharField(
        label=gettext_lazy("The town where they live"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "id_referral_question_%s")
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors or cleaned.get("code"):
            return cleaned
        name, town = cleaned.get("name"), cleaned.get("town")
        if not name and not town:
            self.add_error("code", _("Please type a code, or a name and a town."))
        elif not name:
            self.add_error("name", _("Please type your friend's name too."))
        elif not town:
            self.add_error("town", _("Please type the town too: many people share a name."))
        return cleaned


@dataclass
class QuestionPanel:
    """What the page shows. ``said`` is what was said already, in words; "" when nothing was."""

    form: QuestionForm
    said: str
    url: str
    # Set by the template tag, so that a shop's own template and ours do not both show it.
    is_shown: bool = False

    @property
    def is_open(self) -> bool:
        return self.form.is_bound


class ReferralQuestionMixin(_PaymentDetailsView):
    """For the view of the payment step and the preview. The app puts it on top of whatever view the shop has."""

    request: HttpRequest
    _question_form: QuestionForm | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse
        if request.POST.get("action") == ACTION and conf.asks_who_sent():
            response = self.handle_question(request)
        else:
            response = super().post(request, *args, **kwargs)
        return response

    def handle_question(self, request: HttpRequest) -> HttpResponse:
        """Take the answer, and show the page again."""
        form = QuestionForm(request.POST)
        try:
            if "forget" in request.POST:
                with transaction.atomic():
                    unname_friend(baskets.basket_reference(request))
                messages.info(request, _("We have forgotten what you said."), fail_silently=True)
            elif not form.is_valid() or not _take(request, form):
                self._question_form = form
                response: HttpResponse = self.get(request)
                return response
        except Exception:
            logger.exception("What a shopper said about who sent them could not be noted")
            messages.info(
                request,
                _("We could not note that just now. Your order does not depend on it."),
                fail_silently=True,
            )
        return HttpResponseRedirect(self._question_url())

    def _question_url(self) -> str:
        # From the preview to the preview: where there is nothing to pay, Oscar skips the step before.
        return reverse("checkout:preview" if self.preview else "checkout:payment-details")

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> Any:
        response = super().render_to_response(context, **response_kwargs)
        try:
            if isinstance(response, TemplateResponse) and not response.is_rendered:
                self._add_question(response)
        except Exception:
            logger.exception("The payment step is shown without the question who sent the shopper")
        return response

    def _add_question(self, response: TemplateResponse) -> None:
        request = self.request
        if self.preview and self._question_form is None and request.method != "GET":
            # The page holds what was typed about the card: leaving it would lose that.
            return
        if not conf.asks_who_sent() or not _may_be_asked(request):
            return
        page = response.resolve_template(response.template_name)
        if not isinstance(getattr(page, "template", None), Template):
            return
        with transaction.atomic():
            row = named_friend(baskets.basket_reference(request))
        said = (
            _("You told us: %(name)s, %(town)s.") % {"name": row.given_name, "town": row.given_town}
            if row
            else ""
        )
        initial = {"name": row.given_name, "town": row.given_town} if row else None
        form = self._question_form or QuestionForm(initial=initial)
        step = "preview" if self.preview else "payment_details"
        response.context_data = {
            **(response.context_data or {}),
            PARENT: page,
            "referral_question": QuestionPanel(form, said, self._question_url()),
        }
        response.template_name = f"oscar_integration/checkout/question_{step}.html"


def _may_be_asked(request: HttpRequest) -> bool:
    """Has this shopper no invitation, while there are some to have? No query for a guest.

    Of a guest's address nothing is looked up: that the question is missing would tell who is known.
    """
    if not baskets.basket_reference(request) or baskets.has_trace(request):
        return False
    if not programs.open_terms(site_id=tracking.site_id_for(request)):
        return False
    user = request.user
    if not user.is_authenticated:
        return True
    with transaction.atomic():
        return tracking.open_claim_of(user) is None and not referrals_of(user, "")


def _take(request: HttpRequest, form: QuestionForm) -> bool:
    """Note what was said; False with an error in the form."""
    code = form.cleaned_data["code"]
    if code:
        if baskets.accept_discount(request, code) or baskets.accept_code(request, code):
            return True
        form.add_error("code", _("This code is not known. Please check how it is written."))
        return False
    try:
        with transaction.atomic():
            name_friend(
                basket_reference=baskets.basket_reference(request),
                name=form.cleaned_data["name"],
                town=form.cleaned_data["town"],
                user=request.user,
                site_id=tracking.site_id_for(request),
                language=get_language() or "",
            )
    except RequestError as error:
        form.add_error("name", str(error))
        return False
    messages.success(
        request,
        _("Thank you. Once you have ordered, we ask whether that is so. Your order does not wait for it."),
        fail_silently=True,
    )
    return True


def extend_question(config: Any) -> None:
    """Put the question into the payment step of Oscar's CheckoutConfig, where the setting asks for it."""
    view = getattr(config, "payment_details_view", None)
    if conf.asks_who_sent() and isinstance(view, type):
        config.payment_details_view = extend(view, ReferralQuestionMixin)
