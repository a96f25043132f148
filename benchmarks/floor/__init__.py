"""The least that a debit could be, to measure the ledger against."""
