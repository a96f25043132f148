"""Settings of the example shop: Wagtail pages and an Oscar catalogue, in French and English.

Everything a developer may want to change comes from environment variables:

EXAMPLE_DATABASE   path of the SQLite file (default: example_site/demo.sqlite3)
EXAMPLE_POSTGRES   a libpq connection string, e.g. "host=/run/postgresql dbname=shop user=shop"; wins over SQLite
EXAMPLE_MAIL       folder of the e-mails that it sent (default: example_site/mail)
EXAMPLE_HOST       public address with port, used in e-mails and share links (default: 127.0.0.1:8000)
EXAMPLE_WITHOUT_REFERRALS   1 runs the shop without the package
"""

import os
from pathlib import Path

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from oscar.defaults import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent

# A demonstration: this key guards nothing. A real shop reads its own from the environment.
SECRET_KEY = "example-site-only-never-use-this-key-in-production"
DEBUG = True
ALLOWED_HOSTS = ["*"]
EXAMPLE_HOST = os.environ.get("EXAMPLE_HOST", "127.0.0.1:8000")

# The package's apps come after Oscar's checkout, whose views they extend. Without them the shop is a plain Wagtail and
# Oscar site: the benchmarks compare the two.
REFERRAL_APPS = [
    "wagtail_referrals.credit",
    "wagtail_referrals",
    "wagtail_referrals.feedback",
    "oscar_integration",
    "oscar_integration.memberships",
]
if os.environ.get("EXAMPLE_WITHOUT_REFERRALS") == "1":
    REFERRAL_APPS = []

INSTALLED_APPS = [
    "example_site.seed",
    "example_site.pages",
    "example_site.card",
    "example_site.backoffice",
    "example_site.giving",
    "wagtail.contrib.settings",
    "wagtail.contrib.forms",
    "wagtail.contrib.simple_translation",
    "wagtail.embeds",
    "wagtail.search",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "example_site.checkout.apps.CheckoutConfig",
    "oscar.apps.address.apps.AddressConfig",
    "example_site.shipping.apps.ShippingConfig",
    "example_site.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "example_site.partner.apps.PartnerConfig",
    "oscar.apps.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "example_site.offer.apps.OfferConfig",
    "oscar.apps.order.apps.OrderConfig",
    "oscar.apps.customer.apps.CustomerConfig",
    "oscar.apps.search.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    *REFERRAL_APPS,
    # Third party apps that Oscar asks for.
    "widget_tweaks",
    "haystack",
    "treebeard",
    "sorl.thumbnail",
    "django_tables2",
]

# Our forks change methods only, never a column, so they keep Oscar's own migrations.
MIGRATION_MODULES = {
    "catalogue": "oscar.apps.catalogue.migrations",
    "offer": "oscar.apps.offer.migrations",
    "partner": "oscar.apps.partner.migrations",
    "shipping": "oscar.apps.shipping.migrations",
}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "example_site.card.middleware.ResumeBasketMiddleware",
    *(["wagtail_referrals.tracking.ReferralMiddleware"] if "wagtail_referrals" in REFERRAL_APPS else []),
]

ROOT_URLCONF = "example_site.urls"
WSGI_APPLICATION = "example_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # What the shop's pages show of the package comes first: the share icon, the banner, the panel after an order;
        # what is left of a pass, and the pages of members.
        "DIRS": [
            *(
                [BASE_DIR / "templates_memberships"]
                if "oscar_integration.memberships" in REFERRAL_APPS
                else []
            ),
            *([BASE_DIR / "templates_referrals"] if REFERRAL_APPS else []),
            BASE_DIR / "templates",
        ],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "example_site.pages.context.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ],
        },
    },
]

if os.environ.get("EXAMPLE_POSTGRES"):
    from psycopg.conninfo import conninfo_to_dict

    _postgres = conninfo_to_dict(os.environ["EXAMPLE_POSTGRES"])
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _postgres.get("dbname", "shop"),
            "USER": _postgres.get("user", ""),
            "PASSWORD": _postgres.get("password", ""),
            "HOST": _postgres.get("host", ""),
            "PORT": _postgres.get("port", ""),
            # What Oscar's documentation recommends.
            "ATOMIC_REQUESTS": True,
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("EXAMPLE_DATABASE", str(BASE_DIR / "demo.sqlite3")),
            # A write transaction takes its lock at once and waits for it, instead of failing in the middle.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = reverse_lazy("customer:login")
LOGIN_REDIRECT_URL = reverse_lazy("customer:summary")

SITE_ID = 1
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
WAGTAIL_I18N_ENABLED = True
# No picture of a person is asked from somebody else's server.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
WAGTAILADMIN_PERMITTED_LANGUAGES = LANGUAGES
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Europe/Paris"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Every e-mail becomes a file; staff read them at /mails/.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = os.environ.get("EXAMPLE_MAIL", str(BASE_DIR / "mail"))
DEFAULT_FROM_EMAIL = "Studio Souffle <hello@studio-souffle.example.com>"

HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
# The simple engine searches the tables themselves: there is no index to keep up to date.
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"

# Pages that are for a group of users only.
WAGTAIL_FRONTEND_LOGIN_URL = reverse_lazy("members-only")
WAGTAIL_SITE_NAME = "Studio Souffle"
WAGTAILADMIN_BASE_URL = f"http://{EXAMPLE_HOST}"

OSCAR_SHOP_NAME = "Studio Souffle"
OSCAR_SHOP_TAGLINE = _("Yoga and well-being in Nantes")
OSCAR_HOMEPAGE = reverse_lazy("wagtail_serve", args=[""])
OSCAR_FROM_EMAIL = DEFAULT_FROM_EMAIL
OSCAR_DEFAULT_CURRENCY = "EUR"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_HIDDEN_FEATURES = ["reviews", "wishlists"]
OSCAR_MISSING_IMAGE_URL = "image_not_found.jpg"
OSCAR_PRODUCTS_PER_PAGE = 32
OSCAR_REQUIRED_ADDRESS_FIELDS = ("first_name", "last_name", "line1", "line4", "postcode", "country")
# Prices are entered and shown with tax, so "10 % off" is 10 % of what the customer sees.
OSCAR_OFFERS_INCL_TAX = True

OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {
    "Pending": ("Paid", "Cancelled"),
    "Paid": ("Shipped", "Complete", "Cancelled", "Refunded"),
    "Shipped": ("Complete", "Refunded"),
    "Complete": ("Refunded",),
    "Cancelled": (),
    "Refunded": (),
}
OSCAR_LINE_STATUS_PIPELINE = OSCAR_ORDER_STATUS_PIPELINE
OSCAR_ORDER_STATUS_CASCADE = {status: status for status in OSCAR_ORDER_STATUS_PIPELINE}

WAGTAIL_REFERRALS = {
    "SHOP": "oscar_integration.OscarShop",
    "CURRENCIES": ["EUR"],
    # Friends of friends are thanked with these. The studio puts one on the tree in its courtyard for each.
    "POINTS": {"unit": "LEAVES", "name": ngettext_lazy("leaf", "leaves")},
}

# The shop's own checks of referrals, in backoffice/checks.py.
EXAMPLE_CHECKS = True

WAGTAIL_REFERRALS_OSCAR = {
    # The cards that customers keep at the checkout and in their account.
    "RENEWAL_CARDS": "example_site.card.renewals.RenewalCards",
    # "Did a friend send you?", at the payment step.
    "ASK_WHO_SENT": True,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"oscar": {"handlers": ["console"], "level": "WARNING", "propagate": False}},
}
