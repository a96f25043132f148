"""Fills the shop: pages, catalogue, pictures, people. `python manage.py seed_shop` may be run again."""
