"""Oscar's offer app with ranges that read in the visitor's language."""
