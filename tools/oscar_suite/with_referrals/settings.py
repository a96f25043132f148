"""The settings of Oscar's own tests with what a shop adds for Wagtail and, unless the stage is "wagtail", for us.

Oscar's `tests` is what is on the path here.
"""

import os

from tests.settings import *  # noqa: F403

STAGE = os.environ["REFERRALS_STAGE"]

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "django.contrib.messages",
    "wagtail.contrib.settings",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
]
ROOT_URLCONF = "with_referrals.urls"
# What Oscar's test apps have without saying so.
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
WAGTAIL_SITE_NAME = "Oscar"
WAGTAILADMIN_BASE_URL = "http://testserver"

if STAGE != "wagtail":
    INSTALLED_APPS += ["wagtail_referrals.credit", "wagtail_referrals", "oscar_integration"]
    MIDDLEWARE = [*MIDDLEWARE, "wagtail_referrals.tracking.ReferralMiddleware"]  # noqa: F405
    WAGTAIL_REFERRALS = {"SHOP": "oscar_integration.shop.OscarShop", "CURRENCIES": ["GBP"]}
    WAGTAIL_REFERRALS_OSCAR = {
        "PAID_STATUSES": ["B"],
        "SHIPPED_STATUSES": ["B"],
        "CANCELLED_STATUSES": [],
        "REFUNDED_STATUSES": [],
    }
    if STAGE == "attribution":
        WAGTAIL_REFERRALS_OSCAR |= {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}
