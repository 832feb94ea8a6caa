"""The run folder: what a training run leaves on the disk, and the trained model read back from it.

===================  =================================================================================
weights.safetensors  the network that predicts, and the mean and scale of its inputs; no pickle
history.jsonl        one line an epoch
predictions.csv      id, predicted, confidence, prob_CLASS of every training row
issues.csv           id, given_label, suggested_label, label_quality, p_wrong, is_issue, rank, reason,
                     p_suggested, kind, and what the method knows of each label besides
metrics.json         estimated noise rate and transition matrix; test accuracy and true noise where known
environment.json     versions of what the bits of the result depend on
skipped.csv          files that were left out, if any
decisions.sqlite     what a person decided in ``goldvein review``, if anybody did
report.html          what ``goldvein report`` wrote, if it did
config.json          all that it takes to run again and to predict
===================  =================================================================================

Every file is written whole or not at all. ``config.json`` is the last, so a folder that holds it is a complete
run; one with ``checkpoint.pt`` and without it is an interrupted run, which training can go on from.
"""

from goldvein.runs.folder import CHECKPOINT, check_new, claim, give_up, make
from goldvein.runs.reading import Run, load
from goldvein.runs.tables import as_json, predictions, write_new
from goldvein.runs.writing import save

__all__ = [
    "CHECKPOINT",
    "Run",
    "as_json",
    "check_new",
    "claim",
    "give_up",
    "load",
    "make",
    "predictions",
    "save",
    "write_new",
]
