"""Measure registration methods: cases × methods × starts, each in a process of its own, then tables
and a page.
"""
