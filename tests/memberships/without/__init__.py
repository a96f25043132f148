"""The example shop after memberships were taken out of its settings and templates, on a database that has some."""
