"""A review: the suspicious labels of a run and the decisions about them, without a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from goldvein.errors import InputError
from goldvein.report.appearance import DataView, load_picture
from goldvein.runs.apply import check_decisions
from goldvein.runs.decisions import ACTIONS, Log

if TYPE_CHECKING:
    from PIL import Image

    from goldvein.runs import SavedRun
    from goldvein.runs.decisions import Decision

LIKELY = 9  # classes that have a number key
LONGEST_TEXT = 20_000  # most characters of a text that the page receives
PICTURE_SIDE = 1024  # pixels
State = tuple[int, str, int]  # version of the row, action ("" without a decision), position of the label or -1


class Question(TypedDict):
    """A suspicious label as the page receives it; classes are positions, ``likely`` contains (class, probability)."""

    id: str
    given: int
    suggested: int
    p_wrong: float
    reason: str
    likely: list[tuple[int, float]]
    picture: bool
    text: str | None
    cut: int
    values: list[tuple[str, str]]
    missing: str | None


class Review:
    """The suspicious labels of a run, worst first, each with its decision.

    Parameters
    ----------
    run : SavedRun
    data : DataView
        Shows the rows.
    log : Log
        Stores the decisions.
    budget : int, optional
        Number of labels to review; by default all issues. These are the labels of :meth:`SavedRun.list_issues`.

    Raises
    ------
    InputError
        If the log contains rows or classes that the run does not have.
    """

    def __init__(self, run: SavedRun, data: DataView, log: Log, budget: int | None = None) -> None:
        check_decisions(log.current(), run)
        self.run, self.data, self.log = run, data, log
        self.classes = [str(label) for label in run.classes]
        table = run.issues if budget is None else run.list_issues(budget=budget)
        self.suspects = table[table["is_issue"]]
        self.ids: list[str] = self.suspects["id"].tolist()
        self._class_of = {label: k for k, label in enumerate(self.classes)}
        self._position = {row: k for k, row in enumerate(self.ids)}
        self._probs = run.predictions[[f"prob_{label}" for label in run.classes]].to_numpy()
        self._row_of = {row: k for k, row in enumerate(run.predictions["id"])}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def expected(self) -> float:
        """Expected number of wrong labels in the plan."""
        return float(self.suspects["p_wrong"].sum())

    def question(self, k: int) -> Question:
        """Return everything that the page shows about suspect ``k``."""
        issue, view = self.suspects.iloc[k], self.data.row(self.ids[k])
        given, suggested = (self._class_of[str(issue[name])] for name in ("given_label", "suggested_label"))
        probs = self._probs[self._row_of[self.ids[k]]].copy()  # changed below
        # the probabilities of these classes take the given label into account; the other classes share the rest
        judged = {given: 1 - issue["p_wrong"]}
        if np.isfinite(issue.get("p_suggested", np.nan)):
            judged[suggested] = issue["p_suggested"]
        probs[list(judged)] = list(judged.values())
        others = np.isin(np.arange(len(probs)), list(judged), invert=True)
        probs[others] *= max(0.0, 1 - sum(judged.values())) / max(float(probs[others].sum()), 1e-12)
        likely = np.argsort(-probs, kind="stable")[:LIKELY].tolist()
        text = view.text if view.text is None else view.text[:LONGEST_TEXT]
        return {
            "id": self.ids[k],
            "given": given,
            "suggested": suggested,
            "p_wrong": float(issue["p_wrong"]),
            "reason": issue["reason"],
            "likely": [(c, float(probs[c])) for c in likely],
            "picture": view.is_picture,
            "text": text,
            "cut": 0 if view.text is None else len(view.text) - len(text or ""),
            "values": list(view.values),
            "missing": view.missing,
        }

    def picture(self, k: int) -> Image.Image:
        """Return the picture of suspect ``k``; InputError if there is none."""
        return load_picture(self.data.row(self.ids[k]), PICTURE_SIDE)

    def state(self, k: int) -> State:
        """Return the present state of suspect ``k``."""
        return self._state(self.log.version(self.ids[k]), self.log.decision(self.ids[k]))

    def states(self) -> tuple[int, list[State]]:
        """Return the number of the last event, and the :meth:`state` of every suspect."""
        last, changed = self.log.changed_rows(0)
        # only rows with events are looked up: at the start of a review there are few
        known = {row: self.state(self._position[row]) for row in changed if row in self._position}
        return last, [known.get(row, (0, "", -1)) for row in self.ids]

    def changes(self, since: int) -> tuple[int, list[tuple[int, State]]]:
        """Return the number of the last event, and the states of the suspects with an event after ``since``."""
        last, changed = self.log.changed_rows(since)
        positions = [self._position[row] for row in changed if row in self._position]
        return last, [(k, self.state(k)) for k in positions]

    def decide(self, k: int, action: str, label: int | None, *, client: str, seen: int) -> None:
        """Write a decision; it is on the disk when this method returns.

        Parameters
        ----------
        k : int
            Position in the plan.
        action : one of :data:`goldvein.runs.decisions.ACTIONS`
        label : int or None
            For relabel: position of the class.
        client : str
            Name of the client that decides.
        seen : int
            Version of the row that the client read.

        Raises
        ------
        InputError
            If the action or class is unknown, or the decision cannot be written.
        ConflictError
            If another client has decided about the row since then.
        """
        if action not in ACTIONS:
            raise InputError(f"action {action!r}: use one of {', '.join(ACTIONS)}")
        given = str(self.suspects["given_label"].iloc[k])
        name = given if action == "keep" else None
        if action == "relabel":
            # the client sends JSON, where true would pass as 1
            if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < len(self.classes):
                raise InputError(f"label {label!r}: use the position of a class, 0 to {len(self.classes) - 1}")
            name = self.classes[label]
            action = "keep" if name == given else action  # choosing the given class means to keep it
        self.log.decide(self.ids[k], action, name, client=client, seen=seen)

    def undo(self, client: str) -> int | None:
        """Undo the client's last decision; return its position in the plan, -1 outside the plan, None without one."""
        row = self.log.undo(client)
        return None if row is None else self._position.get(row, -1)

    def _state(self, version: int, decision: Decision | None) -> State:
        if decision is None:
            return version, "", -1
        return version, decision.action, -1 if decision.label is None else self._class_of.get(decision.label, -1)
