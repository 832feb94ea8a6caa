"""One file per method; ``two_stage`` is the class ``TwoStage`` in ``two_stage.py``."""
