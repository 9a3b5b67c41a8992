"""Registration: prepare, find, refine, verify, record."""
