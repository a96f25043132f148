"""What `manage.py fill_shop` writes: a shop with a past. The same sizes and the same seed give the same shop."""
