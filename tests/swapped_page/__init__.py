"""A site that has swapped Wagtail's base page for its own; without Oscar."""
