"""What referrals give to others: a kind of reward of the shop's own, and a record of what was promised."""
