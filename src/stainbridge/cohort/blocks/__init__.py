"""Blocks of several slides: every pair is registered, and the best chain of them is taken."""
