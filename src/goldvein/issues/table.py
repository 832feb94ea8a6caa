"""The issue table: which labels are listed, the suggested labels, the kind of each issue, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional

import numpy as np
from numpy.typing import NDArray

from goldvein.noise.model import NoiseModel, blocks

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.floating]
COLUMNS = (
    "id",
    "given_label",
    "suggested_label",
    "label_quality",
    "p_wrong",
    "is_issue",
    "rank",
    "reason",
    "p_suggested",
    "kind",
)
KINDS = ("ok", "wrong_label", "none_of_these", "conflict", "too_little_evidence")
OK, WRONG, NONE, CONFLICT, LITTLE = range(5)
# bidirectional classes of Unicode that can make the text run from right to left
TURNS = {"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "PDF", "PDI", "FSI"}
MIN_LABELS = 20  # a class with fewer labels cannot be judged
RARE, RARE_RECALL = 0.5, 0.2  # a class below this share of the mean size is rare; its least expected recall


@dataclass(frozen=True)
class Case:
    """The input of the table; arrays of length n have one entry for each row with a label.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        Numbers of the rows among all N.
    names : ndarray of shape (K,)
        Names of the classes.
    duplicate : ndarray of shape (n,), int64, or None
        Number of another row that is nearly the same but has another label; -1 for none.
    outlier : ndarray of shape (n,), bool, or None
        Rows like no other.
    ids : ndarray of shape (N,)
        Names of the rows.
    scores : dict of ndarray, each (n,)
        Further columns.
    """

    rows: NDArray[np.int64]
    names: NDArray[Any]
    y: NDArray[np.int64]
    p_wrong: Floats
    is_issue: NDArray[np.bool_]
    duplicate: NDArray[np.int64] | None
    margins: Floats | None
    agreement: Floats | None
    outlier: NDArray[np.bool_] | None
    ids: NDArray[Any]
    scores: dict[str, Floats]


def worst_first(p_wrong: Floats, agreement: Floats | None = None) -> NDArray[np.int64]:
    """Return the order (n,) of falling p_wrong; labels with equal p_wrong are sorted by rising agreement.

    Examples
    --------
    >>> worst_first(np.array([0.1, 0.9, 0.9]), np.array([0.0, 0.5, 0.25])).tolist()
    [2, 1, 0]
    """
    return np.argsort(-p_wrong, kind="stable") if agreement is None else np.lexsort((agreement, -p_wrong))


def listed(
    p_wrong: Floats,
    y: NDArray[np.int64],
    precision: float,
    budget: int | None,
    n_classes: int,
    agreement: Floats | None = None,
    least: float = 1.0,
) -> NDArray[np.bool_]:
    """Return which labels (n,) are listed as issues, for a precision or a budget.

    ``least`` is the lower end of the interval of the number of wrong labels, divided by their expected number. A
    precision above 0.5 is a promise, so it also holds there: the odds of each label to be wrong are then as much lower.

    Examples
    --------
    >>> p_wrong, y = np.array([0.9, 0.7, 0.6, 0.2]), np.zeros(4, dtype=int)
    >>> listed(p_wrong, y, 0.5, None, 1).tolist()
    [True, True, True, False]
    >>> listed(p_wrong, y, 0.8, None, 1).tolist()
    [True, True, False, False]
    >>> listed(p_wrong, y, 0.8, None, 1, least=0.4).tolist()  # 0.9 and 0.7 become 0.78 and 0.48
    [False, False, False, False]
    >>> listed(p_wrong, y, 0.5, 1, 1).tolist()
    [True, False, False, False]
    """
    issue = np.zeros(len(y), dtype=bool)
    if budget is not None:
        worst = worst_first(p_wrong, agreement)[:budget]
        issue[worst[p_wrong[worst] > 0]] = True  # not those that are certainly right, such as trusted ones
        return issue
    # labels that are more likely right than wrong are only listed if a low precision permits it
    some = np.flatnonzero(p_wrong > min(precision, 0.5))
    order = some[np.argsort(-p_wrong[some], kind="stable")]
    p = p_wrong[order].astype(np.float64)
    if precision > 0.5:
        p = least * p / (1 - p + least * p + 1e-300)
    mean = np.cumsum(p) / np.arange(1, len(order) + 1)
    issue[order[: np.searchsorted(-mean, -precision, side="right")]] = True  # the mean falls along the list
    n = np.bincount(y, minlength=n_classes)
    for c in np.flatnonzero((n > 0) & (n < RARE * n.sum() / max(np.count_nonzero(n), 1))):
        of_class = np.flatnonzero(y == c)
        wanted = RARE_RECALL * p_wrong[of_class].sum()
        if wanted < RARE_RECALL:  # fewer than one wrong label is expected
            continue
        worst = of_class[np.argsort(-p_wrong[of_class], kind="stable")]
        issue[worst[: np.searchsorted(np.cumsum(p_wrong[worst]), wanted) + 1]] = True
    return issue


def table_of(case: Case, model: NoiseModel | None, probs: Floats | None) -> pd.DataFrame:
    """Return the table, worst first.

    Parameters
    ----------
    case : Case
    model : NoiseModel, optional
    probs : ndarray of shape (n, K), optional
        Input of the model; without it, no label is suggested.
    """
    import pandas as pd

    n = len(case.y)
    marked = np.flatnonzero(case.is_issue if case.duplicate is None else case.is_issue | (case.duplicate >= 0))
    best, p_best = case.y[marked], np.full(len(marked), np.nan)
    if model is not None and probs is not None:
        best, p_best = _suggest(case.y, model, probs, marked, case.p_wrong)
    kind = _kinds(case, marked, p_best)
    suggested, p_suggested = case.y.copy(), (1 - case.p_wrong if model is not None else np.full(n, np.nan))
    better = case.is_issue[marked] & (p_best >= 1 - case.p_wrong[marked]) & (kind[marked] != NONE)
    suggested[marked[better]] = best[better]
    p_suggested[marked[better]] = p_best[better]
    reason = np.full(n, "", dtype=object)
    looks = None if probs is None else _resembling(case.y, model, probs, marked)
    reason[marked] = _reasons(case, marked, best, better, kind[marked], looks)
    order = worst_first(case.p_wrong, case.agreement)
    p_wrong = case.p_wrong[order].astype(np.float64)
    columns = {
        "id": case.ids[case.rows[order]],
        "given_label": case.names[case.y[order]],
        "suggested_label": case.names[suggested[order]],
        "label_quality": 1 - p_wrong,
        "p_wrong": p_wrong,
        "is_issue": case.is_issue[order],
        "rank": np.arange(1, n + 1),
        "reason": reason[order],
        "p_suggested": p_suggested[order].astype(np.float64),
        "kind": pd.Categorical.from_codes(kind[order], list(KINDS)),  # type: ignore[call-overload]
    }
    return pd.DataFrame(columns | {name: values[order] for name, values in case.scores.items()})


def by_class(case: Case, low: NDArray[np.float64], high: NDArray[np.float64]) -> pd.DataFrame:
    """Return how many labels of each class are wrong, and how many of these are listed.

    Parameters
    ----------
    case : Case
    low, high : ndarray of shape (K,)
        Ends of the interval of the number of wrong labels.
    """
    import pandas as pd

    k = len(case.names)
    n = np.bincount(case.y, minlength=k)
    wrong = np.bincount(case.y, case.p_wrong, minlength=k)
    hit = np.bincount(case.y, case.p_wrong * case.is_issue, minlength=k)
    table = pd.DataFrame(
        {
            "class": case.names,
            "n_labels": n,
            "n_wrong": wrong,
            "n_wrong_low": low,
            "n_wrong_high": high,
            "n_issues": np.bincount(case.y[case.is_issue], minlength=k),
            "expected_recall": np.divide(hit, wrong, out=np.full(k, np.nan), where=wrong > 0),
            "enough": n >= MIN_LABELS,
        }
    )
    return table[n > 0].reset_index(drop=True)


def _suggest(
    y: NDArray[np.int64],
    model: NoiseModel,
    probs: Floats,
    rows: NDArray[np.int64],
    p_wrong: Floats,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the likeliest other class of each of the rows (m,), and its probability."""
    best, p_best = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    for part in blocks(np.broadcast_to(np.float32(0), (len(rows), probs.shape[1]))):
        some = rows[part]
        q = model.p_true(y[some], probs[some])
        at = np.arange(len(some))
        own = q[at, y[some]]
        q[at, y[some]] = -1
        best[part] = q.argmax(1)
        # if a duplicate or an outlier lowers the given label further, the other classes share the difference
        p_best[part] = q[at, best[part]] * p_wrong[some] / np.maximum(1 - own, 1e-9)
    return best, np.clip(p_best, 0, 1)


def _kinds(case: Case, marked: NDArray[np.int64], p_best: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the kind of each label (n,), an index into ``KINDS``."""
    kind = np.zeros(len(case.y), dtype=np.int8)
    issue = case.is_issue[marked]
    kind[marked[issue]] = WRONG
    # no other class gets half of the probability that the given label loses
    lost = issue & (case.p_wrong[marked] > 0.5) & (p_best < case.p_wrong[marked] / 2) & (p_best > 0)
    kind[marked[lost]] = NONE
    if case.outlier is not None:
        kind[case.is_issue & case.outlier] = NONE
    if case.duplicate is not None:
        kind[case.duplicate >= 0] = CONFLICT
    kind[(np.bincount(case.y) < MIN_LABELS)[case.y]] = LITTLE  # last: it replaces every other kind
    return kind


def _resembling(
    y: NDArray[np.int64], model: NoiseModel | None, probs: Floats, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[float], list[float]]:
    """Return the other class that each of the rows (m,) resembles most, and the probabilities of the given class and
    of that class. They do not depend on the given label.
    """
    most, given, other = np.empty(len(rows), dtype=np.int64), np.empty(len(rows)), np.empty(len(rows))
    for part in blocks(np.broadcast_to(np.float32(0), (len(rows), probs.shape[1]))):
        some = rows[part]
        clean = probs[some] if model is None else model.clean_probs(probs[some])
        at = np.arange(len(some))
        given[part] = clean[at, y[some]]
        clean[at, y[some]] = -1
        most[part], other[part] = clean.argmax(1), clean.max(1)
    return most, given.tolist(), other.tolist()


def _reasons(
    case: Case,
    rows: NDArray[np.int64],
    best: NDArray[np.int64],
    better: NDArray[np.bool_],
    kind: NDArray[np.int8],
    looks: tuple[NDArray[np.int64], list[float], list[float]] | None,
) -> list[str]:
    """Return why labels are suspicious, in words; ``better`` marks those for which another class is likelier."""
    given, other = isolate(case.names[case.y[rows]].tolist()), isolate(case.names[best].tolist())
    if looks is None:
        texts = [f"does not look like {label}" for label in given]
    else:
        most, *shares = looks
        pairs = zip(given, isolate(case.names[most].tolist()), *shares, strict=True)
        texts = [f"looks like {b} (probability {q:.2f}), not {a} ({p:.2f})" for a, b, p, q in pairs]
        for i in np.flatnonzero(better & (best != most)):  # rows of this class are seldom labeled so
            texts[i] += f"; with this label more likely {other[i]}"
        for i in np.flatnonzero((kind == WRONG) & ~better):
            texts[i] += "; no other label is likelier"
    for i in np.flatnonzero(kind == NONE):
        texts[i] = f"looks like no class, closest to {other[i]}; given {given[i]}"
    if case.duplicate is not None:
        for i in np.flatnonzero(case.duplicate[rows] >= 0):
            row = case.duplicate[rows[i]]
            (label,) = isolate([case.names[case.y[np.searchsorted(case.rows, row)]]])
            texts[i] = f"nearly the same as row {case.ids[row]}, which is labeled {label}; " + texts[i]
    n = np.bincount(case.y)
    for i in np.flatnonzero(kind == LITTLE):
        texts[i] += f"; but its class has only {n[case.y[rows[i]]]} labels, too few to judge"
    if case.agreement is not None:
        parts = zip(texts, given, case.agreement[rows].tolist(), strict=True)
        texts = [f"{text}; predicted as {label} in {100 * share:.0f} % of the epochs" for text, label, share in parts]
    if case.margins is not None:
        texts = [f"{t}; mean margin {m:.2f}" for t, m in zip(texts, case.margins[rows].tolist(), strict=True)]
    return texts


def isolate(names: list[Any]) -> list[Any]:
    """Return names for a sentence: a name in a right-to-left script is isolated, so that it does not reorder the rest.

    Examples
    --------
    >>> isolate(["cat", "\u05d7\u05ea\u05d5\u05dc"])
    ['cat', '\u2068\u05d7\u05ea\u05d5\u05dc\u2069']
    """
    # FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE
    turned = {name: f"\u2068{name}\u2069" for name in set(names) if any(bidirectional(c) in TURNS for c in str(name))}
    return [turned.get(name, name) for name in names]
