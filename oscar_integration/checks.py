"""System checks: what would make the package silently do nothing in a shop, with the reason and the mend."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.template import Template, TemplateDoesNotExist
from django.template.loader import select_template
from django.urls import NoReverseMatch, resolve, reverse

from oscar_integration import conf
from wagtail_referrals import conf as engine_conf
from wagtail_referrals.site.blocks import shown_blocks

# Oscar's apps whose configuration must be ready before ours.
BEFORE_US = ("checkout", "customer")


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Names and amounts in WAGTAIL_REFERRALS_OSCAR."""
    found: list[checks.CheckMessage] = []
    given = getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {})
    for name in sorted(set(given) - set(conf.DEFAULTS)):
        found.append(
            checks.Error(
                f'WAGTAIL_REFERRALS_OSCAR has no setting "{name}".',
                hint=f"Remove it, or write one of {', '.join(sorted(conf.DEFAULTS))}.",
                id="oscar_integration.E003",
            )
        )
    currencies = engine_conf.currencies()
    for currency, amount in conf.get("MINIMUM_CHARGE").items():
        try:
            valid = Decimal(amount) >= 0
        except (InvalidOperation, TypeError, ValueError):
            valid = False
        if not valid or isinstance(amount, float):
            found.append(
                checks.Error(
                    f'MINIMUM_CHARGE["{currency}"] = {amount!r} is not an amount.',
                    hint='Write it as text, e.g. {"EUR": "0.50"}.',
                    id="oscar_integration.E004",
                )
            )
        elif currency not in currencies and "MINIMUM_CHARGE" in given:
            found.append(
                checks.Warning(
                    f"MINIMUM_CHARGE names {currency}, in which there is no credit.",
                    hint=f'Add it to WAGTAIL_REFERRALS["CURRENCIES"] (now {", ".join(currencies)}), or remove it.',
                    id="oscar_integration.W005",
                )
            )
    default = getattr(settings, "OSCAR_DEFAULT_CURRENCY", None)
    if default and default not in currencies:
        found.append(
            checks.Warning(
                f'The shop\'s currency {default} is not in WAGTAIL_REFERRALS["CURRENCIES"]: '
                "no credit can be earned or spent in it.",
                hint=f'WAGTAIL_REFERRALS = {{"CURRENCIES": ["{default}"], ...}}',
                id="oscar_integration.W006",
            )
        )
    return found


def check_statuses(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """The statuses that mean paid, shipped... against the shop's pipeline."""
    pipeline = getattr(settings, "OSCAR_ORDER_STATUS_PIPELINE", {})
    if not pipeline:
        return [
            checks.Warning(
                "OSCAR_ORDER_STATUS_PIPELINE is empty: Oscar refuses every change of status, so no order ever counts "
                "as paid by its status.",
                hint="Give the shop a pipeline, or record payment and shipping events.",
                id="oscar_integration.W007",
            )
        ]
    known = set(pipeline) | {status for following in pipeline.values() for status in following}
    given = getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {})
    found: list[checks.CheckMessage] = []
    for name in ("PAID_STATUSES", "SHIPPED_STATUSES", "CANCELLED_STATUSES", "REFUNDED_STATUSES"):
        statuses = set(conf.get(name))
        unknown = sorted(statuses - known)
        # Our own defaults are guesses: one that fits is enough, and not every shop cancels or refunds by a status.
        needed = name in ("PAID_STATUSES", "SHIPPED_STATUSES")
        if unknown and (name in given or (needed and not statuses & known)):
            found.append(
                checks.Warning(
                    f"{name} names statuses that no order can have: {', '.join(unknown)}.",
                    hint=f'WAGTAIL_REFERRALS_OSCAR = {{"{name}": [...]}} with some of {", ".join(sorted(known))}.',
                    id="oscar_integration.W008",
                )
            )
    return found


def check_app_order(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Oscar's views are replaced after Oscar has chosen them."""
    labels = [config.label for config in apps.get_app_configs()]
    late = [label for label in BEFORE_US if label in labels[labels.index("oscar_integration") :]]
    if not late:
        return []
    return [
        checks.Error(
            f'"oscar_integration" stands before Oscar\'s {" and ".join(late)} in INSTALLED_APPS: customers cannot pay '
            "with their credit.",
            hint='Move "oscar_integration" to the end of Oscar\'s apps.',
            id="oscar_integration.E001",
        )
    ]


def check_payment_view(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """The payment view that the shop's addresses lead to must be ours, and must work with credit."""
    from oscar_integration.checkout import CreditPaymentMixin
    from oscar_integration.reading import mixin_problems, payment_view_problems

    config = apps.get_app_config("checkout")
    view = getattr(config, "payment_details_view", None)
    if not conf.credit_at_checkout() or view is None:
        return []
    problems = payment_view_problems(view)
    if issubclass(view, CreditPaymentMixin):
        problems = mixin_problems(view, CreditPaymentMixin)
    elif not problems:
        # Our app stands before checkout: said by another check.
        return []
    if problems:
        return [
            checks.Warning(
                f"Credit cannot be used at checkout: in {view.__module__}.{view.__qualname__}, {problem}.",
                hint="Charge the total that handle_payment(order_number, total, **kwargs) is handed, and nothing else; "
                'or set WAGTAIL_REFERRALS_OSCAR["CREDIT_AT_CHECKOUT"] to False.',
                id="oscar_integration.W002",
            )
            for problem in problems
        ]
    return _check_frozen(view) + _check_templates(view)


def _check_frozen(view: type) -> list[checks.CheckMessage]:
    from oscar_integration.checkout import CreditPaymentMixin

    try:
        served = getattr(resolve(reverse("checkout:preview")).func, "view_class", None)
    except NoReverseMatch:
        # A shop without Oscar's checkout pages.
        return []
    if served is None or issubclass(served, CreditPaymentMixin):
        return []
    return [
        checks.Error(
            f"The checkout's addresses lead to {served.__module__}.{served.__qualname__}, without credit: they were "
            "made before all apps were ready.",
            hint="Something calls reverse(), or imports the URL configuration, while apps are loading: use "
            "reverse_lazy() there.",
            id="oscar_integration.E002",
        )
    ]


def _check_templates(view: Any) -> list[checks.CheckMessage]:
    pages = (
        ("template_name", "payment_details", "referral_credit_form"),
        ("template_name_preview", "place_order", "referral_credit_totals"),
    )
    found: list[checks.CheckMessage] = []
    for attribute, block, tag in pages:
        name = getattr(view, attribute, None)
        if name is None:
            continue
        try:
            template = getattr(select_template([name]), "template", None)
        except TemplateDoesNotExist:
            continue
        if (
            isinstance(template, Template)
            and tag not in template.source
            and block not in shown_blocks(template)
        ):
            found.append(
                checks.Warning(
                    f'{name} does not show the block "{block}", where credit is offered.',
                    hint=f"Put the block into the template, or {{% load referral_credit %}} and {{% {tag} %}} where "
                    "credit is to stand, outside other forms.",
                    id="oscar_integration.W009",
                )
            )
    return found
