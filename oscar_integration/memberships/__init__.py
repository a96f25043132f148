"""Memberships and passes that Oscar sells: an optional app of its own.

A plan is what is sold or given, a membership is one customer's, and it is made of periods: each was bought, renewed,
earned by a referral or given by staff. From when until when a membership runs, and what is left of its uses, is always
computed anew from its periods, its uses and the present state of the orders (``settle``), never counted up or down.

Locks, always with ``no_key=True``, come in the engine's order with three more: Referral, Budget, Advocate, Reward,
Renewal, Account, Lot, Membership, User. So a renewal never waits for a membership while it holds one, and settling a
membership writes no renewal.
"""
