"""What every shop knows about its customers: the facts that audiences are made of. The orders are asked of the port."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Case, Count, DecimalField, Max, Q, QuerySet, Sum, Value, When
from django.utils.translation import get_language_info, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import Asked, CustomerFact, customer_facts, either_words, join_words
from wagtail_referrals.programs.amounts import AmountsFormField, as_decimals
from wagtail_referrals.programs.audiences import NOBODY
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.referrals.shop import CustomerOrders, get_shop

MOST_ORDERS: Final = 1_000_000
MOST_DAYS: Final = 3650


def _orders(asked: Asked) -> tuple[CustomerOrders, QuerySet[Any]]:
    """How the shop names things, and the orders of its customers or of the one who is asked about."""
    shop = get_shop().orders_of_customers(asked.user_id)
    orders = _only(shop.orders.filter(**{f"{shop.customer}__isnull": False}), shop.customer, asked)
    # Without the model's own order, which would become part of every group.
    return shop, orders.order_by()


class OrdersPlaced(CustomerFact):
    key = "orders"
    label = _("number of orders")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "orders_at_least": forms.IntegerField(
                label=_("At least"), min_value=1, max_value=MOST_ORDERS, required=False
            ),
            "orders_at_most": forms.IntegerField(
                label=_("At most"),
                min_value=0,
                max_value=MOST_ORDERS,
                required=False,
                help_text=_("0: has never placed an order."),
            ),
        }

    def option_problems(self, options: dict[str, Any]) -> dict[str, str]:
        least, most = options.get("orders_at_least"), options.get("orders_at_most")
        if least is None and most is None:
            return {"orders_at_least": gettext("Give a number of orders, in one of the two fields.")}
        if least is not None and most is not None and most < least:
            return {
                "orders_at_most": gettext("This is less than the number before it: nobody can have that.")
            }
        return {}

    def words(self, options: dict[str, Any]) -> str:
        least, most = options.get("orders_at_least"), options.get("orders_at_most")
        if most is None:
            least = least or 1
            return ngettext(
                "has placed at least %(count)s order", "has placed at least %(count)s orders", least
            ) % {"count": least}
        if most == 0:
            return gettext("has never placed an order")
        if least is None:
            return ngettext(
                "has placed at most %(count)s order", "has placed at most %(count)s orders", most
            ) % {"count": most}
        if least == most:
            return ngettext("has placed %(count)s order", "has placed %(count)s orders", most) % {
                "count": most
            }
        return gettext("has placed %(least)s to %(most)s orders") % {"least": least, "most": most}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        least, most = options.get("orders_at_least"), options.get("orders_at_most")
        shop, orders = _orders(asked)
        counted = orders.values(shop.customer).annotate(referrals_count=Count("pk"))
        if least is None:
            return ~Q(pk__in=counted.filter(referrals_count__gt=most).values(shop.customer))
        counted = counted.filter(referrals_count__gte=least)
        if most is not None:
            counted = counted.filter(referrals_count__lte=most)
        return Q(pk__in=counted.values(shop.customer))


class Spent(CustomerFact):
    """In each currency for itself: nothing is converted."""

    key = "spent"
    label = _("money spent")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "spent_how": forms.ChoiceField(
                label=_("Spent"),
                choices=[("at_least", _("at least")), ("less_than", _("less than"))],
                initial="at_least",
            ),
            "spent_amounts": AmountsFormField(
                label=_("Amount"),
                help_text=_(
                    "All orders together, tax and delivery included, less what was given back. With several "
                    "currencies one that is reached is enough."
                ),
            ),
        }

    def option_problems(self, options: dict[str, Any]) -> dict[str, str]:
        if not any(as_decimals(options.get("spent_amounts")).values()):
            return {"spent_amounts": gettext("Give an amount above zero in at least one currency.")}
        return {}

    def words(self, options: dict[str, Any]) -> str:
        amounts = [
            credit.format_money(amount, currency)
            for currency, amount in as_decimals(options["spent_amounts"]).items()
            if amount
        ]
        if options.get("spent_how") == "less_than":
            return gettext("has spent less than %(amounts)s") % {"amounts": join_words(amounts)}
        return gettext("has spent at least %(amounts)s") % {"amounts": either_words(amounts)}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        amounts = {code: amount for code, amount in as_decimals(options["spent_amounts"]).items() if amount}
        shop, orders = _orders(asked)
        # One sum to compare with the amount of its currency, as adding up is what takes time.
        wanted = Case(
            *(When(referrals_currency=code, then=Value(amount)) for code, amount in amounts.items()),
            output_field=DecimalField(max_digits=14, decimal_places=2),
        )
        spenders = (
            orders.annotate(referrals_currency=shop.expression(shop.currency))
            .filter(referrals_currency__in=list(amounts))
            .values(shop.customer, "referrals_currency")
            .annotate(referrals_spent=Sum(shop.expression(shop.spent)))
            .filter(referrals_spent__gte=wanted)
            .values(shop.customer)
        )
        found = Q(pk__in=spenders)
        return ~found if options.get("spent_how") == "less_than" else found


class LastOrder(CustomerFact):
    key = "last_order"
    label = _("last order")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "last_order_how": forms.ChoiceField(
                label=_("The last order was"),
                choices=[
                    ("within", _("less than so many days ago")),
                    ("before", _("more than so many days ago")),
                ],
                initial="within",
            ),
            "last_order_days": forms.IntegerField(
                label=_("Days"),
                min_value=1,
                max_value=MOST_DAYS,
                help_text=_("Who has never ordered is in neither."),
            ),
        }

    def words(self, options: dict[str, Any]) -> str:
        days = options["last_order_days"]
        if options.get("last_order_how") == "before":
            text = ngettext(
                "placed the last order more than %(days)s day ago",
                "placed the last order more than %(days)s days ago",
                days,
            )
        else:
            text = ngettext(
                "has placed an order within the last day",
                "has placed an order within the last %(days)s days",
                days,
            )
        return text % {"days": days}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        since = asked.now - timedelta(days=options["last_order_days"])
        shop, orders = _orders(asked)
        orders = orders.annotate(referrals_placed=shop.expression(shop.placed_at))
        if options.get("last_order_how") == "before":
            last = orders.values(shop.customer).annotate(referrals_last=Max("referrals_placed"))
            return Q(pk__in=last.filter(referrals_last__lt=since).values(shop.customer))
        return Q(pk__in=orders.filter(referrals_placed__gte=since).values(shop.customer))


class BoughtFrom(CustomerFact):
    key = "bought_from"
    label = _("bought from a range")

    def option_fields(self) -> dict[str, forms.Field]:
        return {"range": forms.ChoiceField(label=_("Range"), choices=lambda: _choices(_ranges()))}

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        frozen = super().freeze_options(values)
        if "range" in frozen:
            frozen["title"] = str(dict(_ranges()).get(frozen["range"], ""))
        return frozen

    def words(self, options: dict[str, Any]) -> str:
        return gettext("has bought from “%(range)s”") % {"range": options.get("title") or options["range"]}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        return Q(pk__in=get_shop().customers_who_bought(options["range"], asked.user_id))


def _ranges() -> Sequence[tuple[str, str]]:
    return get_shop().ranges()


class InGroup(CustomerFact):
    key = "group"
    label = _("group")

    def option_fields(self) -> dict[str, forms.Field]:
        return {"group": forms.ChoiceField(label=_("Group"), choices=lambda: _choices(self.groups()))}

    @staticmethod
    def groups() -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Group.objects.order_by("name").values_list("pk", "name")]

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        frozen = super().freeze_options(values)
        if "group" in frozen:
            frozen["title"] = dict(self.groups()).get(frozen["group"], "")
        return frozen

    def words(self, options: dict[str, Any]) -> str:
        return gettext("is in the group “%(group)s”") % {"group": options.get("title") or options["group"]}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        members = get_user_model()._default_manager.filter(groups=options["group"])
        return Q(pk__in=_only(members, "pk", asked).values("pk"))


class WorksHere(CustomerFact):
    """Accounts that open the back office: Django's staff, and who may open Wagtail's admin."""

    key = "staff"
    label = _("works for the shop")

    def words(self, options: dict[str, Any]) -> str:
        return gettext("works for the shop")

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        accounts = _only(get_user_model()._default_manager.all(), "pk", asked)
        fields = {field.name for field in accounts.model._meta.get_fields()}
        works = Q(*[(name, True) for name in ("is_staff", "is_superuser") if name in fields], _connector=Q.OR)
        if "groups" in fields:
            opens = Permission.objects.filter(content_type__app_label="wagtailadmin", codename="access_admin")
            works |= Q(groups__in=Group.objects.filter(permissions__in=opens))
        return Q(pk__in=accounts.filter(works).values("pk")) if works else NOBODY


class ReadsIn(CustomerFact):
    """The language in which the customer last used the page "Refer a friend": nothing else is known of it."""

    key = "language"
    label = _("language")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "language": forms.ChoiceField(
                label=_("Language"),
                choices=lambda: _choices(settings.LANGUAGES),
                help_text=_("In which the customer last opened the page “Refer a friend”."),
            )
        }

    def words(self, options: dict[str, Any]) -> str:
        try:
            name = get_language_info(options["language"])["name_translated"]
        except KeyError:
            name = options["language"]
        return gettext("reads this site in %(language)s") % {"language": name}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        language = options["language"]
        readers = Advocate.objects.filter(
            Q(language=language) | Q(language__startswith=f"{language}-"), user__isnull=False
        )
        return Q(pk__in=_only(readers, "user", asked).values("user"))


class CameAsFriend(CustomerFact):
    key = "friend"
    label = _("joined as a friend")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "came": forms.ChoiceField(
                label=_("The customer came"),
                choices=[("invited", _("by a friend's invitation")), ("alone", _("without an invitation"))],
                initial="invited",
            )
        }

    def words(self, options: dict[str, Any]) -> str:
        if options.get("came") == "alone":
            return gettext("came without a friend's invitation")
        return gettext("came by a friend's invitation")

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        invited = Referral.objects.filter(friend__isnull=False).exclude(state=Referral.State.REFUSED)
        found = Q(pk__in=_only(invited, "friend", asked).values("friend"))
        return ~found if options.get("came") == "alone" else found


def _only(rows: QuerySet[Any], customer: str, asked: Asked) -> QuerySet[Any]:
    return rows if asked.user_id is None else rows.filter(**{customer: asked.user_id})


def _choices(known: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return [("", "---------"), *known]


for _fact in (
    OrdersPlaced(),
    Spent(),
    LastOrder(),
    BoughtFrom(),
    InGroup(),
    WorksHere(),
    ReadsIn(),
    CameAsFriend(),
):
    customer_facts.register(_fact)
