"""System checks: what would make the package silently do nothing in a shop, with the reason and the mend.

They cost no query and never raise. Every id is in docs/reference/checks.md, and none is given twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.template import Template, TemplateDoesNotExist
from django.template.loader import get_template
from django.template.loader_tags import ExtendsNode, IncludeNode
from django.urls import resolve, reverse
from django.utils.translation import override

from oscar_integration import conf
from wagtail_referrals import conf as engine_conf
from wagtail_referrals.checks import unknown_names
from wagtail_referrals.site.template_blocks import shown_blocks

# Oscar's apps whose views we extend, and what their customers miss where we come too early.
EXTENDED: Final = {
    "basket": "a friend's code is refused in the basket",
    "checkout": "customers cannot pay with their credit",
    "customer": "an order's page does not show what credit paid",
}
STATUSES: Final = ("PAID_STATUSES", "SHIPPED_STATUSES", "CANCELLED_STATUSES", "REFUNDED_STATUSES")


def _given() -> Mapping[str, Any]:
    """What the project has set; nothing where that is no dictionary, which stops the start already."""
    given = getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {})
    return given if isinstance(given, Mapping) else {}


def _setting(name: str) -> Any:
    return _given().get(name, conf.DEFAULTS[name])


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E003, E004, E007, W005, W006, W014: names, amounts, currencies, and what renews memberships."""
    found = unknown_names("WAGTAIL_REFERRALS_OSCAR", _given(), conf.DEFAULTS, "oscar_integration.E003")
    currencies = _currencies()
    minimum = _setting("MINIMUM_CHARGE")
    if not isinstance(minimum, Mapping):
        found.append(_no_amount("MINIMUM_CHARGE", minimum))
        minimum = {}
    for currency, amount in minimum.items():
        if not _is_amount(amount):
            found.append(_no_amount(f'MINIMUM_CHARGE["{currency}"]', amount))
        elif currency not in currencies and "MINIMUM_CHARGE" in _given():
            found.append(
                checks.Warning(
                    f"MINIMUM_CHARGE names {currency}, in which there is no credit: the amount is never asked for.",
                    hint=f'Add it to WAGTAIL_REFERRALS["CURRENCIES"] (now {", ".join(currencies)}), or remove it.',
                    id="oscar_integration.W005",
                )
            )
    for name, value in conf.DEFAULTS.items():
        if isinstance(value, bool) and not isinstance(_setting(name), bool):
            found.append(
                checks.Error(
                    f"{name} = {_setting(name)!r} is neither True nor False, and counts as {bool(_setting(name))}: "
                    f"the stage is {'on' if _setting(name) else 'off'}, whatever was meant.",
                    hint=f'Write "{name}": True or "{name}": False, without quotes.',
                    id="oscar_integration.E007",
                )
            )
    if _setting("RENEWAL_CARDS") is not None and not apps.is_installed("oscar_integration.memberships"):
        found.append(
            checks.Warning(
                "RENEWAL_CARDS is set, and memberships are not installed: nothing is renewed, and no card charged.",
                hint='Add "oscar_integration.memberships" to INSTALLED_APPS, behind "oscar_integration", or remove '
                "the setting.",
                id="oscar_integration.W014",
            )
        )
    default = getattr(settings, "OSCAR_DEFAULT_CURRENCY", None)
    if default and default not in currencies:
        found.append(
            checks.Warning(
                f'The shop\'s currency {default} is not in WAGTAIL_REFERRALS["CURRENCIES"] '
                f"({', '.join(currencies)}): no credit can be earned or spent in it.",
                hint=f'WAGTAIL_REFERRALS = {{"CURRENCIES": ["{default}"], ...}}',
                id="oscar_integration.W006",
            )
        )
    return found


def _currencies() -> list[str]:
    """The engine's, where they are a list: it has a check of its own for what is none."""
    given = getattr(settings, "WAGTAIL_REFERRALS", {})
    value = given.get("CURRENCIES", engine_conf.DEFAULTS["CURRENCIES"]) if isinstance(given, Mapping) else ()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []


def _is_amount(value: Any) -> bool:
    if isinstance(value, float | bool):
        return False
    try:
        # What is no number cannot be compared.
        return 0 <= Decimal(value) < 10**10
    except (InvalidOperation, TypeError, ValueError):
        return False


def _no_amount(name: str, value: Any) -> checks.CheckMessage:
    return checks.Error(
        f"{name} = {value!r} is not an amount: nobody can pay with credit and a card.",
        hint='Write it as text, by currency: "MINIMUM_CHARGE": {"EUR": "0.50"}.',
        id="oscar_integration.E004",
    )


def check_statuses(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E005, E006, W007, W008, W010, W011: the statuses that mean paid, shipped... against the shop's pipeline."""
    values: dict[str, Any] = {name: _setting(name) for name in (*STATUSES, "REFUND_EVENTS")}
    wrong = [
        name
        for name, value in values.items()
        # A text would be read letter by letter.
        if isinstance(value, str)
        or not isinstance(value, Collection)
        or not all(isinstance(each, str) for each in value)
    ]
    if wrong:
        return [
            checks.Error(
                f"{name} = {values[name]!r} is no list of texts: no order is recognised by it. {WITHOUT[name]}",
                hint=f'Write "{name}": [{", ".join(_quoted(_texts(values[name]) or conf.DEFAULTS[name]))}].',
                id="oscar_integration.E005",
            )
            for name in wrong
        ]
    return [*_overlaps(values), *_against_pipeline({name: set(values[name]) for name in STATUSES})]


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else []


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _overlaps(values: Mapping[str, Collection[str]]) -> list[checks.CheckMessage]:
    """A status that means two things of which only one can be."""
    found: list[checks.CheckMessage] = []
    for bad, what, otherwise in (
        (
            "CANCELLED_STATUSES",
            "count as cancelled: nobody is rewarded, and credit that paid for them is given back",
            "do not take place",
        ),
        ("REFUNDED_STATUSES", "count as given back: nobody is rewarded", "were given back"),
    ):
        names = [
            name for name in ("PAID_STATUSES", "SHIPPED_STATUSES") if set(values[name]) & set(values[bad])
        ]
        if names:
            both = sorted({*values["PAID_STATUSES"], *values["SHIPPED_STATUSES"]} & set(values[bad]))
            good = " and ".join(names)
            found.append(
                checks.Error(
                    f"{good} name {', '.join(_quoted(both))} as {bad} does: such orders {what}.",
                    hint=f"Take it out of {good} if such orders {otherwise}, else out of {bad}.",
                    id="oscar_integration.E006",
                )
            )
    return found


def _against_pipeline(statuses: Mapping[str, set[str]]) -> list[checks.CheckMessage]:
    pipeline = getattr(settings, "OSCAR_ORDER_STATUS_PIPELINE", {})
    if not isinstance(pipeline, Mapping) or not pipeline:
        return [
            checks.Warning(
                "OSCAR_ORDER_STATUS_PIPELINE is empty: Oscar refuses every change of status, so no order ever counts "
                "as paid, and nobody is rewarded.",
                hint='Give the shop a pipeline, e.g. OSCAR_INITIAL_ORDER_STATUS = "Pending" and '
                'OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Paid", "Cancelled"), "Paid": ("Shipped", "Cancelled"), '
                '"Shipped": (), "Cancelled": ()}. Where the shop writes order.status itself, silence this check.',
                id="oscar_integration.W007",
            )
        ]
    found: list[checks.CheckMessage] = []
    known = set(pipeline).union(*(_following(value) for value in pipeline.values()))
    names = ", ".join(sorted(map(str, known)))
    initial = getattr(settings, "OSCAR_INITIAL_ORDER_STATUS", None)
    if initial is not None and (not isinstance(initial, str) or initial not in pipeline):
        found.append(
            checks.Warning(
                f"OSCAR_INITIAL_ORDER_STATUS = {initial!r} is not in OSCAR_ORDER_STATUS_PIPELINE: Oscar refuses every "
                "change of a new order's status, so that none ever counts as paid.",
                hint=f"Write one of {', '.join(sorted(map(str, pipeline)))}.",
                id="oscar_integration.W010",
            )
        )
    for name, wanted in statuses.items():
        unknown = sorted(wanted - known)
        # Our own defaults are guesses: one that fits is enough, and not every shop cancels or refunds by a status.
        needed = name in ("PAID_STATUSES", "SHIPPED_STATUSES")
        if unknown and (name in _given() or (needed and not wanted & known)):
            found.append(
                checks.Warning(
                    f"{name} names statuses that no order can have: {', '.join(unknown)}. {WITHOUT[name]}",
                    hint=f'WAGTAIL_REFERRALS_OSCAR = {{"{name}": [...]}} with some of {names}.',
                    id="oscar_integration.W008",
                )
            )
    if not statuses["CANCELLED_STATUSES"] & known and "CANCELLED_STATUSES" not in _given():
        found.append(
            checks.Warning(
                f"No status means cancelled, as CANCELLED_STATUSES is not set and no order can be "
                f"{', '.join(conf.DEFAULTS['CANCELLED_STATUSES'])}. {WITHOUT['CANCELLED_STATUSES']}",
                hint=f'WAGTAIL_REFERRALS_OSCAR = {{"CANCELLED_STATUSES": [...]}} with some of {names}; or [] where '
                "orders are not cancelled by a status.",
                id="oscar_integration.W011",
            )
        )
    return found


# What happens without such a status.
WITHOUT: Final = {
    "PAID_STATUSES": "Orders that should count as paid do not, and their rewards wait for ever.",
    "SHIPPED_STATUSES": "Waiting periods that begin when the order is sent do not begin.",
    "CANCELLED_STATUSES": "Cancelled orders keep their rewards, and the credit that paid for them is not given back.",
    "REFUNDED_STATUSES": "Orders that were given back as a whole keep their rewards.",
    "REFUND_EVENTS": "Money that is given back counts as money that was paid.",
}


def _following(value: Any) -> set[str]:
    """The statuses that one may change to; one by itself is easily written without its comma."""
    if isinstance(value, str):
        return {value}
    return {each for each in value if isinstance(each, str)} if isinstance(value, Iterable) else set()


def check_app_order(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E001: Oscar's views are replaced after Oscar has chosen them."""
    labels = [config.label for config in apps.get_app_configs()]
    late = [label for label in EXTENDED if label in labels[labels.index("oscar_integration") :]]
    if not late:
        return []
    return [
        checks.Error(
            f'"oscar_integration" stands before Oscar\'s {" and ".join(late)} in INSTALLED_APPS: '
            f"{', and '.join(EXTENDED[label] for label in late)}.",
            hint='Move "oscar_integration" behind them, to the end of Oscar\'s apps.',
            id="oscar_integration.E001",
        )
    ]


def check_payment_view(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W002, W013: the shop's payment view must work with credit, as far as its source tells."""
    from oscar_integration.checkout import CreditPaymentMixin
    from oscar_integration.reading import mixin_problems, payment_view_problems, unreadable_methods

    view: Any = getattr(_config("checkout"), "payment_details_view", None)
    if not _setting("CREDIT_AT_CHECKOUT") or view is None:
        return []
    if isinstance(view, type) and issubclass(view, CreditPaymentMixin):
        problems = mixin_problems(view, CreditPaymentMixin)
    else:
        # Without problems our app stands before checkout: said by another check.
        problems = payment_view_problems(view)
    name = f"{getattr(view, '__module__', '')}.{getattr(view, '__qualname__', view)}"
    if problems:
        return [
            checks.Warning(
                f"Credit cannot be used at checkout: in {name}, {problem}.",
                hint="Charge the total that handle_payment(order_number, total, **kwargs) is handed, and nothing else. "
                "Where this is so already, put oscar_integration.CreditPaymentMixin first among the bases of the view; "
                'else set WAGTAIL_REFERRALS_OSCAR["CREDIT_AT_CHECKOUT"] to False.',
                id="oscar_integration.W002",
            )
            for problem in problems
        ]
    return [
        checks.Warning(
            f"It is not known whether credit works at checkout: {method}() of {name} has no source to read. If it "
            "charges anything but the total that it is handed, customers pay twice.",
            hint="Pay an order in part with credit, and see what the card was charged; then silence this check.",
            id="oscar_integration.W013",
        )
        for method in unreadable_methods(view)
    ]


def _config(label: str) -> Any:
    """An app of Oscar's; None in a project without it."""
    try:
        return apps.get_app_config(label)
    except LookupError:
        return None


def _extended_views() -> Iterator[tuple[Any, str, type, str, str]]:
    """What we extend: Oscar's app, the name of its view, our mixin, the view's address, what is missed without it."""
    from oscar_integration import basket
    from oscar_integration.checkout import CreditPaymentMethodMixin, CreditPaymentMixin
    from oscar_integration.history import OrderCreditMixin
    from oscar_integration.question import ReferralQuestionMixin

    for label, name, mixin, address, missed in (
        (
            "checkout",
            "payment_details_view",
            CreditPaymentMixin,
            "checkout:preview",
            "customers cannot pay with their credit",
        ),
        (
            "checkout",
            "payment_method_view",
            CreditPaymentMethodMixin,
            "checkout:payment-method",
            "a way to pay is asked for where credit pays for everything",
        ),
        (
            "checkout",
            "payment_details_view",
            ReferralQuestionMixin,
            "checkout:payment-details",
            "nobody is asked who sent them",
        ),
        (
            "basket",
            "summary_view",
            basket.ReferralBasketMixin,
            "basket:summary",
            "a basket that was filled before the link was opened gets no discount",
        ),
        (
            "basket",
            "add_voucher_view",
            basket.ReferralCodeMixin,
            "basket:vouchers-add",
            "a friend's code is refused in the basket",
        ),
        (
            "customer",
            "order_detail_view",
            OrderCreditMixin,
            "customer:order",
            "an order's page does not show what credit paid",
        ),
    ):
        config = _config(label)
        view = getattr(config, name, None)
        # What is not extended is said by another check, or was not wanted.
        if isinstance(view, type) and issubclass(view, mixin):
            yield config, name, mixin, address, missed


def check_served_views(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E002, W012: the shop's addresses lead to the views that we extended."""
    frozen: list[str] = []
    lost: list[str] = []
    found: list[checks.CheckMessage] = []
    for config, name, mixin, address, missed in _extended_views():
        served = _served(address)
        if served is None or issubclass(served, mixin):
            continue
        shown = f"{served.__module__}.{served.__qualname__}"
        if _leads_to(config, mixin):
            frozen.append(shown)
            lost.append(missed)
            continue
        found.append(
            checks.Warning(
                f"The address {address} leads to {shown}, which the shop's URLs name themselves: {missed}.",
                hint=f"In get_urls() of {type(config).__module__}.{type(config).__qualname__}, write "
                f"self.{name}.as_view() as Oscar does, and make it that view in ready().",
                id="oscar_integration.W012",
            )
        )
    if frozen:
        found.append(
            checks.Error(
                f"The shop's addresses lead to {', '.join(dict.fromkeys(frozen))} as they were before all apps were "
                f"ready: {'; '.join(dict.fromkeys(lost))}.",
                hint="Something calls reverse(), or imports the URL configuration, while apps are loading: use "
                "reverse_lazy() there.",
                id="oscar_integration.E002",
            )
        )
    return found


def _served(address: str) -> type | None:
    """The class of the view at an address; None where there is none, or it cannot be told."""
    try:
        with override(settings.LANGUAGE_CODE):
            path = reverse(address, args=["100001"] if address == "customer:order" else [])
            served = getattr(resolve(path).func, "view_class", None)
    except Exception:
        # A shop without these pages, or an URL configuration that cannot be read.
        return None
    return served if isinstance(served, type) else None


def _leads_to(config: Any, mixin: type) -> bool:
    """Whether the addresses of one of Oscar's apps, made anew, would lead to what we extended."""
    try:
        served = [getattr(pattern.callback, "view_class", None) for pattern in config.get_urls()]
    except Exception:
        return False
    return any(isinstance(each, type) and issubclass(each, mixin) for each in served)


def check_templates(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W009: the blocks that credit fills are shown."""
    from oscar_integration.checkout import CreditPaymentMixin
    from oscar_integration.history import OrderCreditMixin

    pages: dict[type, tuple[tuple[str, str, str], ...]] = {
        CreditPaymentMixin: (
            ("template_name", "payment_details", "referral_credit_form"),
            ("template_name_preview", "place_order", "referral_credit_totals"),
        ),
        OrderCreditMixin: (("template_name", "order_total", "credit_of_order"),),
    }
    words = ("referral_credit", "credit_of_order")
    found: list[checks.CheckMessage] = []
    for config, name, mixin, _address, _missed in _extended_views():
        for attribute, block, tag in pages.get(mixin, ()):
            template_name = getattr(getattr(config, name), attribute, None)
            if isinstance(template_name, str) and not _shows(template_name, block, words):
                found.append(
                    checks.Warning(
                        f'{template_name} does not show the block "{block}", which referral credit fills: customers '
                        f"{MISSED[block]}.",
                        hint=f"Put the block into the template, or {{% load referral_credit %}} and {{% {tag} "
                        f"{'order as credit ' if block == 'order_total' else ''}%}} where credit is to stand"
                        f"{'' if block == 'order_total' else ', outside other forms'}.",
                        id="oscar_integration.W009",
                    )
                )
    return found


# What does not happen where a block is not shown.
MISSED: Final = {
    "payment_details": "are not offered to use it",
    "place_order": "do not see what the card is charged",
    "order_total": "do not see what credit paid",
}


def _shows(template_name: str, block: str, words: Collection[str]) -> bool:
    """Whether a page shows our block, or has one of our tags by these words; also where that cannot be known."""
    try:
        template = getattr(get_template(template_name), "template", None)
        return (
            not isinstance(template, Template)
            or block in shown_blocks(template)
            or any(word in source for source in _sources(template) for word in words)
        )
    except Exception:
        # Missing, or broken: Oscar's page says so.
        return True


def _sources(template: Template) -> Iterator[str]:
    """The text of a template, of those that it extends, and of those that it includes."""
    waiting, seen = [template], set()
    while waiting:
        each = waiting.pop()
        yield str(each.source)
        for node in each.nodelist.get_nodes_by_type(ExtendsNode) + each.nodelist.get_nodes_by_type(
            IncludeNode
        ):
            name = getattr(getattr(node, "parent_name", getattr(node, "template", None)), "var", None)
            if isinstance(name, str) and name not in seen:
                seen.add(name)
                try:
                    waiting.append(each.engine.get_template(name))
                except TemplateDoesNotExist:
                    continue


def check_question(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W016, W017: where shoppers are asked who sent them, they see it, and somebody can be told."""
    if _setting("ASK_WHO_SENT") is not True:
        return []
    found: list[checks.CheckMessage] = []
    config = _config("checkout")
    name = getattr(getattr(config, "payment_details_view", None), "template_name", None)
    if isinstance(name, str) and not _shows(name, "payment_details", ("referral_question",)):
        found.append(
            checks.Warning(
                f'{name} does not show the block "payment_details", which the question who sent a shopper fills: '
                "nobody is asked.",
                hint="Put the block into the template, or {% load referral_question %} and {% referral_question %} "
                "where the question is to stand, outside other forms.",
                id="oscar_integration.W016",
            )
        )
    try:
        shop = engine_conf.load("SHOP")
    except Exception:
        # Another check says that it cannot be imported.
        return found
    if shop is not None and not hasattr(shop, "placed_order"):
        found.append(
            checks.Warning(
                f"ASK_WHO_SENT is on, and {shop.__module__}.{shop.__qualname__} has no placed_order(): shoppers are "
                "asked who sent them, and nothing that they say can be confirmed.",
                hint="Write the method as in oscar_integration.OscarShop, or inherit from it.",
                id="oscar_integration.W017",
            )
        )
    return found


CHECKS: Final = (
    check_app_order,
    check_payment_view,
    check_question,
    check_served_views,
    check_settings,
    check_statuses,
    check_templates,
)
