"""Registration of paired slices, scored by labels, masks and landmarks."""
