"""What a person decided about labels: the log of a review, files of it, and data with the decisions in it."""

from goldvein.decisions.apply import apply
from goldvein.decisions.exchange import FORMS, export, read_file
from goldvein.decisions.log import ACTIONS, FILE, ConflictError, Decision, Log
from goldvein.decisions.read import account, check, of_run, read

__all__ = [
    "ACTIONS",
    "FILE",
    "FORMS",
    "ConflictError",
    "Decision",
    "Log",
    "account",
    "apply",
    "check",
    "export",
    "of_run",
    "read",
    "read_file",
]
