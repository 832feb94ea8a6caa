"""The run folder: the files that a training run writes, and the trained model that is read from them.

===================  =================================================================================
weights.safetensors  weights of the network that predicts, mean and scale of its inputs; no pickle
history.jsonl        one line per epoch
predictions.csv      id, predicted, confidence, prob_CLASS of every training row
issues.csv           id, given_label, suggested_label, label_quality, p_wrong, is_issue, rank, reason,
                     p_suggested, kind, and further scores that the method has for each label
metrics.json         estimated noise rate and transition matrix; test accuracy and true noise if known
environment.json     versions of the software that the result depends on
skipped.csv          files that were skipped; only if there are any
decisions.sqlite     decisions that a person made in ``goldvein review``; only after a review
report.html          the report that ``goldvein report`` writes
config.json          everything that is needed to repeat the run and to predict
===================  =================================================================================

Every file is written completely or not at all. ``config.json`` is written last, so a folder with ``config.json`` is a
complete run. A folder with ``checkpoint.pt`` and without ``config.json`` is an interrupted run, which can be resumed.
"""

from goldvein.runs.folder import CHECKPOINT, check_folder, check_new_file, make_folder, remove_leftovers
from goldvein.runs.reading import SavedRun, open_run
from goldvein.runs.tables import as_json, tabulate_predictions, write_new_table
from goldvein.runs.writing import save

__all__ = [
    "CHECKPOINT",
    "SavedRun",
    "as_json",
    "check_folder",
    "check_new_file",
    "make_folder",
    "open_run",
    "remove_leftovers",
    "save",
    "tabulate_predictions",
    "write_new_table",
]
