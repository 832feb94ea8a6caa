"""Builds checked objects from names and plain values."""
