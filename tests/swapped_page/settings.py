"""The small shop, on a base page of its own: the one that Wagtail ships for its tests."""

import os

from tests.plainshop.settings import *  # noqa: F403
from tests.plainshop.settings import INSTALLED_APPS as SHOP

INSTALLED_APPS = ["wagtail.test.basepage", "wagtail.contrib.forms", "wagtail_referrals.feedback", *SHOP]
WAGTAIL_PAGE_MODEL = "basepage.BasePage"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SWAPPED_DATABASE"]}}
