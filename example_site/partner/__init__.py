"""Oscar's partner app with the shop's prices: entered with tax, 20 % inside."""
