# What `goldvein` offers, for type checkers and editors: the names are loaded when they are used.
from goldvein.classifier import NoisyLabelClassifier as NoisyLabelClassifier
from goldvein.errors import InputError as InputError
from goldvein.issues.audit import find_label_issues as find_label_issues

__version__: str
