"""A bank card that moves no money: numbers that are accepted, declined, or checked on a page of the "bank"."""
