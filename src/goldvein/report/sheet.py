"""What stage 1 kept and what it removed: some pictures of each class (figure 4 of Ding et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from goldvein.report.appearance import Rows, thumbnail

if TYPE_CHECKING:
    from goldvein.runs import Run

CLASSES, SHOWN = 20, 8  # classes at most, and pictures of each kind
SIDE = 64  # pixels: a PNG below 2 KB where the picture was tiny


@dataclass(frozen=True)
class Strip:
    """Some pictures of a class.

    Attributes
    ----------
    label : str or int
    n_kept, n_removed : int
        Labels of the class.
    kept, removed : list of Markup
        Addresses of pictures, drawn at random.
    """

    label: Any
    n_kept: int
    n_removed: int
    kept: list[Markup]
    removed: list[Markup]


def sheet(run: Run, rows: Rows) -> list[Strip]:
    """The classes of a run whose method keeps some labels and removes others; empty without one, or without pictures.

    Parameters
    ----------
    run : Run
        Its issue table has a column ``kept``: 1 where the label was kept, 0 where it was removed.
    rows : Rows
    """
    issues = run.issues
    if "kept" not in issues or not len(issues) or not rows.look(issues["id"].iloc[0]).is_picture:
        return []
    rng, found = np.random.default_rng(0), []
    of_class = dict(iter(issues.groupby("given_label", sort=False)))
    for label in [label for label in run.classes if label in of_class][:CLASSES]:
        drawn = of_class[label].iloc[rng.permutation(len(of_class[label]))]
        kept, removed = (drawn.loc[drawn["kept"] == value, "id"].tolist() for value in (1, 0))
        found.append(Strip(label, len(kept), len(removed), _pictures(rows, kept), _pictures(rows, removed)))
    return found


def _pictures(rows: Rows, ids: list[str]) -> list[Markup]:
    """The first that can be shown; the gallery says which files are damaged."""
    urls = (thumbnail(rows.look(row), SIDE)[0] for row in ids[: 2 * SHOWN])
    return list(islice((url for url in urls if url is not None), SHOWN))
