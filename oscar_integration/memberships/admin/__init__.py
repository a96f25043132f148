"""The editor's side of memberships: viewsets, forms and views, wired up in ``wagtail_hooks.py``."""
