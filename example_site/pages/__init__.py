"""The studio's Wagtail pages."""
