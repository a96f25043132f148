"""Who installs the integration has its shop, without a setting; the setting still wins."""

from __future__ import annotations

from oscar_integration import OscarShop
from wagtail_referrals import conf
from wagtail_referrals.referrals import get_shop


class OwnShop(OscarShop):
    pass


def test_oscars_shop_is_the_default(settings):
    settings.WAGTAIL_REFERRALS = {}
    assert conf.get("SHOP") and type(get_shop()) is OscarShop


def test_a_shop_of_ones_own_wins(settings):
    settings.WAGTAIL_REFERRALS = {"SHOP": f"{__name__}.OwnShop"}
    assert type(get_shop()) is OwnShop
