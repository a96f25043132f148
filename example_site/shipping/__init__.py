"""Oscar's shipping app with the shop's two methods."""
