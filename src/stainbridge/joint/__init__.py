"""Methods that register and translate at once."""
