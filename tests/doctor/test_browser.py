"""Which cookies a browser keeps."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from wagtail_referrals.doctor.browser import why_dropped


@pytest.mark.parametrize(
    ("cookie", "host", "secure", "kept"),
    [
        ("referral=1", "shop.example.com", False, True),
        ("referral=1; Domain=example.com", "shop.example.com", False, True),
        ("referral=1; Domain=.example.com", "shop.example.com:8000", False, True),
        ("referral=1; Domain=shop.example.com", "SHOP.example.com", False, True),
        ("referral=1; Domain=other.example.com", "shop.example.com", False, False),
        ("referral=1; Domain=ample.com", "shop.example.com", False, False),
        ("referral=1; Domain=com", "shop.example.com", False, False),
        ("referral=1; Domain=0.0.1", "127.0.0.1:8000", False, False),
        ("referral=1; Domain=127.0.0.1", "127.0.0.1:8000", False, True),
        ("referral=1; Secure", "shop.example.com", False, False),
        ("referral=1; Secure", "shop.example.com", True, True),
        ("referral=1; Secure", "localhost:8000", False, True),
        ("referral=1; SameSite=None", "shop.example.com", True, False),
        ("referral=1; SameSite=None; Secure", "shop.example.com", True, True),
        ("__Host-referral=1; Secure; Path=/", "shop.example.com", True, True),
        ("__Host-referral=1; Secure; Path=/; Domain=example.com", "shop.example.com", True, False),
        ("__Host-referral=1; Path=/", "shop.example.com", True, False),
        ("__Secure-referral=1", "shop.example.com", True, False),
    ],
)
def test_a_browser_keeps_it(cookie: str, host: str, secure: bool, kept: bool) -> None:
    (morsel,) = SimpleCookie(cookie).values()
    assert (why_dropped(morsel, host, secure) == "") == kept
