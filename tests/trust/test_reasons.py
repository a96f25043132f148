"""Reasons in the words of who reads them."""

from __future__ import annotations

from django.utils.translation import override

from wagtail_referrals.referrals import reason_words


def test_reasons_of_the_package_are_translated() -> None:
    with override("fr"):
        assert reason_words("own_link") == "c’est le propre lien du parrain"


def test_what_a_check_of_the_shop_says_is_looked_up_in_its_catalog() -> None:
    """Any catalog that is installed: Django's is."""
    with override("fr"):
        assert reason_words("Enter a valid email address.") == "Saisissez une adresse de courriel valide."
        assert reason_words("an unusually large order") == "an unusually large order"


def test_no_reason_has_no_words() -> None:
    with override("fr"):
        assert reason_words("") == ""
