"""The old shop, adopted by following docs/how-to/add-to-an-existing-shop.md to the letter."""
