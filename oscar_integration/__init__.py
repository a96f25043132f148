"""Referrals in a shop that runs on django-oscar."""
