"""Which Wagtail site a request is for, without a query at every share link."""

from __future__ import annotations

from typing import Any, Final

from django.core.cache import cache
from django.core.exceptions import DisallowedHost
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.request import split_domain_port
from wagtail.models import Site

CACHE_KEY: Final = "wagtail_referrals.sites"
CACHE_SECONDS: Final = 300


def _sites() -> list[tuple[int, str, int, bool]]:
    found: list[tuple[int, str, int, bool]] | None = cache.get(CACHE_KEY)
    if found is None:
        found = list(Site.objects.order_by("pk").values_list("pk", "hostname", "port", "is_default_site"))
        cache.set(CACHE_KEY, found, CACHE_SECONDS)
    return found


def site_id_for(request: HttpRequest) -> int | None:
    """Key of the site that ``Site.find_for_request`` finds: by host and port, else the host, else the default site."""
    known = getattr(request, "_wagtail_site", None)
    if known is not None:
        return int(known.pk)
    try:
        hostname, port = split_domain_port(request.get_host())[0].lower(), int(request.get_port())
    except (DisallowedHost, ValueError):
        hostname, port = "", 0
    sites = _sites()
    same_host = [site for site in sites if site[1].lower() == hostname]
    ranked = (
        [site for site in same_host if site[2] == port],
        [site for site in same_host if site[3]],
        same_host if len(same_host) == 1 else [],
        [site for site in sites if site[3]],
    )
    return next((group[0][0] for group in ranked if group), None)


def find_site(site_id: int | None) -> Site | None:
    """The site by its key, with its name and address and nothing else. No query with a warm cache."""
    for pk, hostname, port, is_default_site in _sites():
        if pk == site_id:
            return Site(pk=pk, hostname=hostname, port=port, is_default_site=is_default_site)
    return None


@receiver([post_save, post_delete], sender=Site, dispatch_uid="wagtail_referrals.sites")
def _forget_sites(**kwargs: Any) -> None:
    cache.delete(CACHE_KEY)
