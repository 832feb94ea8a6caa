"""Training of networks: the task, the method, and the run that drives one by the other."""

from goldvein.training.method import Method, Report
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task, Term, Terms

__all__ = ["Batch", "Method", "Report", "Run", "Task", "Term", "Terms"]
