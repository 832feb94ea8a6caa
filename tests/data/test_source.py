"""The options of DATA and their record in a run folder."""

from __future__ import annotations

import numpy as np

from goldvein.data.source import Source


def test_the_record_holds_every_option_that_is_set(tmp_path):
    source = Source("digits", noise="symmetric", noise_rate=0.0)
    record = source.as_config(tmp_path)
    assert record == {"source": "digits", "noise": "symmetric", "noise_rate": 0.0}  # 0.0 == False
    again = Source(**record).dataset(seed=0)
    assert again.y_true is not None
    assert np.array_equal(again.y, again.y_true)


def test_a_relative_path_is_also_recorded_from_the_run_folder(tmp_path):
    record = Source("photos", skip_bad=True).as_config(tmp_path)
    assert record["source"] == "photos"
    assert record["skip_bad"] is True
    assert (tmp_path / record["from_run"]).resolve().name == "photos"
