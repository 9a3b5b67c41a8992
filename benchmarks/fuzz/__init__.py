"""Damaged inputs of every kind, tried on the command: `python -m benchmarks.fuzz`."""
