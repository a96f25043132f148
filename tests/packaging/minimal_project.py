"""A Wagtail project in one file with the installed wheel and nothing else; test_wheel.py runs it."""

import importlib.util
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

settings.configure(
    SECRET_KEY="wheel",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "wagtail_referrals.credit",
        "wagtail_referrals",
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
        "treebeard",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "wagtail_referrals.tracking.ReferralMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LANGUAGE_CODE="en",
    LANGUAGES=[("en", "English"), ("fr", "Français")],
    STATIC_URL="/static/",
    USE_TZ=True,
    WAGTAIL_SITE_NAME="Wheel",
    WAGTAILADMIN_BASE_URL="http://testserver",
)
django.setup()

from wagtail import urls as wagtail_urls  # noqa: E402
from wagtail.admin import urls as wagtailadmin_urls  # noqa: E402

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("", include("wagtail_referrals.urls")),
    path("", include(wagtail_urls)),
]


def main() -> None:
    from babel.messages.pofile import read_po
    from django.contrib.staticfiles import finders
    from django.test import Client
    from django.test.utils import setup_test_environment
    from django.utils import translation

    import wagtail_referrals

    folder = Path(wagtail_referrals.__file__).parent
    assert Path(sys.prefix) in folder.parents, f"not the installed package: {folder}"
    assert importlib.util.find_spec("oscar") is None, "the engine brought Oscar along"

    print("migrating", flush=True)
    call_command("migrate", verbosity=0)

    # A code that nobody has shows the general page, before any page was made in the CMS.
    setup_test_environment()
    client = Client()
    answer = client.get("/r/UNKNOWN2/")
    assert answer.status_code == 200, answer.status_code
    assert b"</html>" in answer.content
    assert any((template.name or "").startswith("wagtail_referrals/") for template in answer.templates or [])

    with (folder / "locale/fr/LC_MESSAGES/django.po").open("rb") as handle:
        catalog = read_po(handle, locale="fr")
    message = next(
        m for m in catalog if m.id and isinstance(m.id, str) and not m.context and m.string != m.id
    )
    with translation.override("fr"):
        assert translation.gettext(message.id) == message.string, message.id

    style = next(folder.glob("static/**/*.css")).relative_to(folder / "static")
    assert finders.find(str(style)), style
    print("the page is there", flush=True)


if __name__ == "__main__":
    main()
