"""Measure registration methods: cases × methods × starts → rows → tables and a page."""
