"""Addresses of the package: include them once, at the root and outside ``i18n_patterns``.

    path("", include("wagtail_referrals.urls"))

The share link has no language in it, as friends may speak another one. The account page stands where the site's other
pages stand: under the language's prefix if the site uses ``i18n_patterns``.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.urls import URLPattern, URLResolver, get_urlconf, path, re_path
from django.utils.translation import get_language

from wagtail_referrals import conf
from wagtail_referrals.site import keep, mail_links, offline, preferences, shared_cache, shares, views
from wagtail_referrals.site.account import views as account

app_name = "referrals"

# The names of a project's settings are not known to the type checker.
configured: Any = settings


class SiteLanguagePrefix:
    """The prefix that the site's own ``i18n_patterns`` has, which Django allows in the root URL module only."""

    converters: dict[str, Any] = {}

    @property
    def language_prefix(self) -> str:
        urlconf: Any = get_urlconf() or configured.ROOT_URLCONF
        used, default_has_prefix = is_language_prefix_patterns_used(urlconf)
        language = get_language() or settings.LANGUAGE_CODE
        if not used or (language == settings.LANGUAGE_CODE and not default_has_prefix):
            return ""
        return f"{language}/"

    @property
    def regex(self) -> re.Pattern[str]:
        # For reverse(), which keeps one per language.
        return re.compile(re.escape(self.language_prefix))

    def match(self, path: str) -> tuple[str, tuple[()], dict[str, Any]] | None:
        prefix = self.language_prefix
        return (path.removeprefix(prefix), (), {}) if path.startswith(prefix) else None

    def check(self) -> list[Any]:
        return []

    def describe(self) -> str:
        return f"'{self}'"

    def __str__(self) -> str:
        return self.language_prefix


# A system check says what is no part of an address; it must be reached.
_share = str(conf.get("SHARE_PREFIX"))

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_share}/<str:code>/picture.png", views.picture, name="picture"),
    # "kept" is no code: those have eight characters.
    path(f"{_share}/kept/<uuid:token>/", keep.kept, name="kept"),
    path(f"{_share}/kept/<uuid:token>/remove/", keep.remove, name="kept_remove"),
    # Nor is this.
    path(f"{_share}/mails/<str:token>/", preferences.mails, name="mails"),
    path(f"{_share}/mails/<str:token>/unsubscribe/", preferences.unsubscribe, name="unsubscribe"),
    path(f"{_share}/m/<str:token>/", mail_links.follow, name="mail_link"),
    path(f"{_share}/<str:code>/keep/", keep.keep, name="keep"),
    path(f"{_share}/<str:code>/keep/sent/", keep.sent, name="keep_sent"),
    path(f"{_share}/<str:code>/seen.gif", shared_cache.seen, name="seen"),
    # Any text: a code that was copied badly shows the general page, not an error.
    re_path(rf"^{re.escape(_share)}/(?P<code>[\s\S]*)/$", views.share, name="share"),
    path(f"{_share}/", views.share, name="share_nobody"),
    URLResolver(
        SiteLanguagePrefix(),  # type: ignore[arg-type]
        [
            path("account/refer-a-friend/", account.account, name="account"),
            path("account/refer-a-friend/friends/", account.friends, name="friends"),
            path("account/refer-a-friend/friends/report/", account.report, name="report"),
            path("account/refer-a-friend/friends/answer/<int:pk>/", account.answer, name="answer"),
            path("account/refer-a-friend/rewards/", account.rewards_page, name="rewards"),
            path("account/refer-a-friend/use/<uuid:token>/", account.use_discount, name="use_discount"),
            path("account/refer-a-friend/settings/", account.settings, name="settings"),
            path("account/refer-a-friend/settings/mails/", preferences.own_mails, name="own_mails"),
            path("account/refer-a-friend/settings/leave/", account.withdraw, name="withdraw"),
            path("account/refer-a-friend/settings/name/<int:pk>/", account.show_name, name="show_name"),
            path("account/refer-a-friend/settings/<slug:choice>/", account.choose, name="choose"),
            path("account/refer-a-friend/qr.svg", offline.qr, {"format": "svg"}, name="qr"),
            path("account/refer-a-friend/qr.png", offline.qr, {"format": "png"}, name="qr"),
            path("account/refer-a-friend/print/", offline.print_page, name="print"),
            re_path(
                r"^account/refer-a-friend/print/([0-9a-f]{6})-([0-9a-f]{6})-([0-9a-f]{6})\.css$",
                offline.print_colours,
                name="print_colours",
            ),
            path("account/refer-a-friend/shared/<str:channel>/", shares.shared, name="shared"),
        ],
    ),
]
