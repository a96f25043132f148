"""Figures about referrals, read from the rows."""

from wagtail_referrals.insights.cells import FORMULA, plain_cell
from wagtail_referrals.insights.cohorts import Cohort, cohorts
from wagtail_referrals.insights.credit_owed import CreditOwed, credit_owed, expiry_months
from wagtail_referrals.insights.daily import (
    DayFigures,
    FiguresRead,
    days_with,
    figures,
    money_kinds,
    read_figures,
)
from wagtail_referrals.insights.folding import fold_visits
from wagtail_referrals.insights.people import People, people
from wagtail_referrals.insights.periods import Period, custom_period, named_period, period_before, today
from wagtail_referrals.insights.rates import (
    BesideOthers,
    added,
    average_order,
    beside_others,
    change,
    cost,
    cost_per_new_customer,
    per,
    percent,
    repeat_rates,
)
from wagtail_referrals.insights.receivers import connect
from wagtail_referrals.insights.refresh import (
    MOST_DAYS,
    Difference,
    differences,
    due_days,
    rebuild_days,
    refresh_days,
)
from wagtail_referrals.insights.shop import ShopFigures, shop_orders, shop_says

__all__ = [
    "FORMULA",
    "MOST_DAYS",
    "BesideOthers",
    "Cohort",
    "CreditOwed",
    "DayFigures",
    "Difference",
    "FiguresRead",
    "People",
    "Period",
    "ShopFigures",
    "added",
    "average_order",
    "beside_others",
    "change",
    "cohorts",
    "connect",
    "cost",
    "cost_per_new_customer",
    "credit_owed",
    "custom_period",
    "days_with",
    "differences",
    "due_days",
    "expiry_months",
    "figures",
    "fold_visits",
    "money_kinds",
    "named_period",
    "people",
    "per",
    "percent",
    "period_before",
    "plain_cell",
    "read_figures",
    "rebuild_days",
    "refresh_days",
    "repeat_rates",
    "shop_orders",
    "shop_says",
    "today",
]
