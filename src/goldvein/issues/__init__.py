"""Judges given labels by arrays and returns them as a table; needs neither a network nor torch."""
