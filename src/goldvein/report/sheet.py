"""Example pictures of each class whose labels were kept and removed in stage 1 (figure 4 of Ding et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from goldvein.report.appearance import DataView, make_thumbnail

if TYPE_CHECKING:
    from goldvein.runs import SavedRun

CLASSES, SHOWN = 20, 8  # most classes, and most pictures of a class that were kept or removed
SIDE = 64  # pixels; a tiny picture then takes less than 2 KB as PNG


@dataclass(frozen=True)
class Strip:
    """Some pictures of a class.

    Attributes
    ----------
    label : str or int
    n_kept, n_removed : int
        Number of labels of the class.
    kept, removed : list of Markup
        ``data:`` URLs of pictures, sampled at random.
    """

    label: str | int
    n_kept: int
    n_removed: int
    kept: list[Markup]
    removed: list[Markup]


def sample_pictures(run: SavedRun, data: DataView) -> list[Strip]:
    """Return a strip for each class; empty if the method removes no labels or the rows are not pictures.

    Parameters
    ----------
    run : SavedRun
        Its issues have a column ``kept`` if the method removes labels: 1 for a kept label, 0 for a removed one.
    data : DataView
    """
    issues = run.issues
    if "kept" not in issues or not len(issues) or not data.row(issues["id"].iloc[0]).is_picture:
        return []
    rng, found = np.random.default_rng(0), []  # the same run always gives the same report
    of_class = dict(iter(issues.groupby("given_label", sort=False)))
    for label in [label for label in run.classes if label in of_class][:CLASSES]:
        shuffled = of_class[label].iloc[rng.permutation(len(of_class[label]))]
        kept, removed = (shuffled.loc[shuffled["kept"] == value, "id"].tolist() for value in (1, 0))
        found.append(Strip(label, len(kept), len(removed), _pictures(data, kept), _pictures(data, removed)))
    return found


def _pictures(data: DataView, ids: list[str]) -> list[Markup]:
    """Return the first pictures that can be shown; the gallery says which files are damaged."""
    # a few more than needed, because some files may be damaged
    urls = (make_thumbnail(data.row(row), SIDE)[0] for row in ids[: 2 * SHOWN])
    return list(islice((url for url in urls if url is not None), SHOWN))
