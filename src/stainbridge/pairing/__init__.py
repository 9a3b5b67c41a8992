"""Paired patch data sets from slides of two stains."""
