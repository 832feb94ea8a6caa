"""Judges given labels by arrays and returns them as a table; needs neither a network nor torch."""

from goldvein.issues.audit import Audit, audit, find_label_issues

__all__ = ["Audit", "audit", "find_label_issues"]
