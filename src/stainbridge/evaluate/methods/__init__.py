"""The methods that are compared, each behind one call: two slides in, an `Alignment` out."""
