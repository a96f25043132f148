"""Oscar's checkout with a card step and the way back from the bank."""
