"""The old shop, adopted and left again by following the two pages of the docs to the letter."""
