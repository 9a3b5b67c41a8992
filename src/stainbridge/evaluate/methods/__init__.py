"""The methods that are compared: two slides in, an `Alignment` out."""
