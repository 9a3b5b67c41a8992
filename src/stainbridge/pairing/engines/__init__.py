"""What aligns a slide pair, one file an engine."""
