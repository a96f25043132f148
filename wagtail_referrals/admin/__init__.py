"""The editor's side: viewsets, forms and views in the Wagtail admin. Wired up in ``wagtail_hooks.py``."""
