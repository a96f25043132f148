"""A friend follows a share link: through the project's own middleware and addresses, as a browser would."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http.request import validate_host
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from wagtail.models import Site

from wagtail_referrals import conf, people, programs, rewards
from wagtail_referrals.doctor.browser import Answer, Browser
from wagtail_referrals.doctor.findings import Finding, broken, fine, look
from wagtail_referrals.doctor.ground import middleware_is_installed
from wagtail_referrals.doctor.places import crash
from wagtail_referrals.doctor.trial import Trial
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.tracking import Ticket
from wagtail_referrals.tracking.models import Visit

# What stands in the pages where our tags are.
BANNER = "referrals-banner"
ICON = "referrals-icon"


def examine_link(trial: Trial) -> Iterator[Finding]:
    code = trial.need("code")
    try:
        path = people.share_path(code)
    except NoReverseMatch:
        yield broken(
            _("Share links lead nowhere: our addresses are not among the project's."),
            _('Add path("", include("wagtail_referrals.urls")) to %(urls)s, before the pages.')
            % {"urls": settings.ROOT_URLCONF},  # type: ignore[misc]
        )
        return
    for site in Site.objects.order_by("-is_default_site", "pk"):
        if programs.pick_terms(site_id=site.pk, now=trial.now) is None:
            continue
        yield from _follow(site, path, trial, keep=trial.browser is None and site == trial.site)


def _host_of(site: Site) -> tuple[str, bool]:
    """The host as a browser names it, and whether it comes by https."""
    # Behind a server that speaks https for it, Wagtail's site may well say 80.
    secure = site.port == 443 or settings.SECURE_SSL_REDIRECT or settings.SESSION_COOKIE_SECURE
    usual = site.port in (80, 443)
    return (site.hostname if usual else f"{site.hostname}:{site.port}"), secure


def _allowed(hostname: str) -> bool:
    hosts = settings.ALLOWED_HOSTS
    if settings.DEBUG and not hosts:
        hosts = [".localhost", "127.0.0.1", "[::1]"]
    return validate_host(hostname, hosts)


def _another_host() -> str:
    return next((host for host in settings.ALLOWED_HOSTS if host[:1] not in ("*", ".", "")), "localhost")


def _follow(site: Site, path: str, trial: Trial, *, keep: bool) -> Iterator[Finding]:
    host, secure = _host_of(site)
    if not _allowed(site.hostname):
        yield broken(
            _("%(host)s is a site of Wagtail's, and Django refuses it.") % {"host": site.hostname},
            _("Add it to ALLOWED_HOSTS, or correct the site's host in Wagtail's settings, under Sites."),
        )
        host = _another_host()
        if not _allowed(host):
            return
    browser = Browser(host, secure, trial.withheld)
    answer = browser.get(path)
    if not hasattr(answer.request, "referral_invitation"):
        yield _in_the_way(answer, path, browser)
        return
    if not answer.is_page:
        yield broken(
            _("%(host)s: the share link answers with %(status)s.") % {"host": host, "status": answer.status}
        )
        return
    if answer.request.referral_invitation.kind == "friend":
        yield fine(_("%(host)s: the share link shows the friend's page.") % {"host": answer.host})
    else:
        yield broken(
            _("%(host)s: the share link works, and offers the friend nothing.") % {"host": answer.host}
        )
    if "public" in answer.response.headers.get("Cache-Control", ""):
        yield fine(
            _("%(host)s: a shared cache may keep this page; a picture on it counts the visit.")
            % {"host": answer.host}
        )
        answer = browser.get(reverse("referrals:seen", args=[trial.need("code")]))
    yield from _cookie(answer, browser, trial, keep=keep)


def _in_the_way(answer: Answer, path: str, browser: Browser) -> Finding:
    """What stood between the visitor and our view."""
    values = {"host": answer.host, "status": answer.status}
    if answer.error is not None:
        return crash(answer.error, _("%(host)s: the share link fails") % values)
    who = _who_answered(path, browser)
    if answer.met_login:
        return broken(
            _("%(host)s: a login stands before the share link. Friends without an account never see it.")
            % values,
            _("Let addresses that begin with /%(prefix)s/ through: %(who)s.")
            % {"prefix": conf.get("SHARE_PREFIX"), "who": who or _("the middleware that asks for the login")},
        )
    if who:
        return broken(
            _("%(host)s: %(who)s answers before the share link is reached, with %(status)s.")
            % {**values, "who": who},
            _("Is the shop closed for maintenance? Else let addresses that begin with /%(prefix)s/ through.")
            % {"prefix": conf.get("SHARE_PREFIX")},
        )
    if answer.hops and not answer.is_page:
        return broken(
            _("%(host)s: the share link is led away to %(there)s.")
            % {**values, "there": urlsplit(answer.hops[-1]).netloc + urlsplit(answer.hops[-1]).path},
            _("Does the host of the site in Wagtail's settings fit the shop's own?"),
        )
    match = answer.request.resolver_match
    return broken(
        _("%(host)s: %(view)s answers the share link in our place, with %(status)s.")
        % {**values, "view": match._func_path if match is not None else _("nothing")},
        _('Put include("wagtail_referrals.urls") before the pages in the URL configuration.'),
    )


def _who_answered(path: str, browser: Browser) -> str:
    """The middleware that keeps the share link from its view; "" when it is none."""
    middleware = list(settings.MIDDLEWARE)
    if not hasattr(browser.reaches(path, []), "referral_invitation"):
        return ""
    for number in range(1, len(middleware) + 1):
        if not hasattr(browser.reaches(path, middleware[:number]), "referral_invitation"):
            return middleware[number - 1]
    return ""


def _cookie(answer: Answer, browser: Browser, trial: Trial, *, keep: bool) -> Iterator[Finding]:
    name = conf.get("COOKIE_NAME")
    values = {"host": answer.host, "name": name}
    visit = Visit.objects.filter(advocate=trial.advocate).order_by("-pk").first()
    morsel = answer.response.cookies.get(name)
    if name in answer.dropped:
        yield broken(
            _("%(host)s: a browser throws our cookie away: %(reason)s.")
            % {**values, "reason": answer.dropped[name]},
            _('WAGTAIL_REFERRALS["COOKIE_DOMAIN"] is to be the shop\'s own domain, or None.')
            if morsel is not None and morsel["domain"]
            else _("Look at the middleware that changes cookies, and at SECURE_PROXY_SSL_HEADER."),
        )
        return
    if morsel is None and conf.get("CONSENT"):
        yield fine(_("%(host)s: no cookie before the visitor agrees, as CONSENT says.") % values)
    elif morsel is None:
        yield broken(
            _("%(host)s: the answer comes without our cookie “%(name)s”.") % values,
            _("Which middleware takes cookies out of answers?"),
        )
        return
    elif Ticket.read(morsel.value) is None:
        yield broken(
            _("%(host)s: our cookie “%(name)s” came back changed: it does not read as ours any more.")
            % values,
            _("Which middleware changes cookies? Does another app use that name?"),
        )
        return
    elif str(morsel["samesite"]).lower() == "strict":
        yield look(
            _("%(host)s: our cookie is SameSite=Strict: a friend who comes from a chat loses it.") % values,
            _("Leave it at Lax."),
        )
    again = browser.get("/")
    if again.status >= 400 or not hasattr(again.request, "referral"):
        again = browser.get(_start(again))
    arrival = getattr(again.request, "referral", None)
    if not middleware_is_installed() or arrival is None:
        yield broken(
            _("%(host)s: on the next page nobody reads the cookie.") % values,
            _('Add "wagtail_referrals.tracking.ReferralMiddleware" at the end of MIDDLEWARE.'),
        )
    elif visit is None or arrival.visit_id != visit.pk:
        yield broken(
            _("%(host)s: on the next page the friend is forgotten.") % values,
            _("Does a redirect lead to another host? Then COOKIE_DOMAIN is to be the domain of both."),
        )
    else:
        yield fine(_("%(host)s: the cookie is kept, and known on the next page.") % values)
        if keep:
            trial.browser, trial.visit = browser, visit


def _start(answer: Answer) -> str:
    try:
        return get_shop().start_url(answer.request)
    except Exception:
        return "/"


def examine_pages(trial: Trial) -> Iterator[Finding]:
    """Our marks in the shop's own pages: advice, as a shop may show none of them."""
    browser: Browser = trial.need("browser")
    home = browser.get("/")
    start = browser.get(_start(home))
    seen: set[str] = set()
    for name, answer in ((_("The home page"), home), (_("The shop's first page"), start)):
        if answer.path in seen:
            continue
        yield from marks_of(name, answer, icon=not seen)
        seen.add(answer.path)
    yield from _account(trial, browser.host, browser.secure)


def marks_of(name: str, answer: Answer, *, icon: bool = False) -> Iterator[Finding]:
    """Whether a page of the shop shows the invitation; with ``icon``, also where to refer a friend."""
    if answer.error is not None:
        yield crash(answer.error, _("%(page)s fails") % {"page": name})
        return
    if not answer.is_page:
        yield look(
            _("%(page)s is no page: it answers with %(status)s.") % {"page": name, "status": answer.status}
        )
        return
    text = answer.text
    if BANNER in text:
        yield fine(_("%(page)s shows a friend the invitation.") % {"page": name})
    else:
        yield look(
            _("%(page)s does not show a friend the invitation.") % {"page": name},
            _("Put {% load referrals %}{% referral_banner %} into the base template."),
        )
    if icon and ICON not in text and _account_path() not in text:
        yield look(
            _("%(page)s does not say where a customer refers a friend.") % {"page": name},
            _("Put {% load referrals %}{% referral_share_icon %} into the base template."),
        )


def _account_path() -> str:
    try:
        return reverse("referrals:account")
    except NoReverseMatch:
        return "\0"


def _account(trial: Trial, host: str, secure: bool) -> Iterator[Finding]:
    """The customer's own page, of one who refers."""
    try:
        path = reverse("referrals:account")
    except NoReverseMatch:
        return
    browser = Browser(host, secure, trial.withheld)
    browser.sign_in(trial.need("advocate").user)
    answer = browser.get(path, public=False)
    if answer.error is not None:
        yield crash(answer.error, _("The customer's page “Refer a friend” fails"))
    elif answer.met_login:
        yield broken(
            _("The customer's page “Refer a friend” asks for a login, again and again."),
            _("Is the session's cookie kept? Look at SESSION_COOKIE_DOMAIN and SESSION_COOKIE_SECURE."),
        )
    elif not answer.is_page:
        yield broken(
            _("The customer's page “Refer a friend” answers with %(status)s.") % {"status": answer.status}
        )
    else:
        yield fine(_("The customer's page “Refer a friend” is drawn."))


def examine_invitation(trial: Trial) -> Iterator[Finding]:
    """What the first commitment would promise. The shop's own basket does it again, where it is examined."""
    visit, friend = trial.need("visit"), trial.need("friend")
    with transaction.atomic():
        claim = rewards.commit(visit=visit, user=friend, now=trial.now)
        transaction.set_rollback(True)
    if claim is None:
        yield broken(
            _("No invitation could be made of the visit."),
            _("The timeline of a referrer says why an invitation was refused."),
        )
        return
    yield fine(_("A visit becomes an invitation, which the account remembers."))
