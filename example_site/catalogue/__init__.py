"""Oscar's catalogue with translated titles and texts; no column of its own, so Oscar's migrations serve."""
