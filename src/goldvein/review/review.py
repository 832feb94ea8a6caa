"""A review: the planned rows of a run, and what was decided about them, without any page around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from goldvein.errors import InputError
from goldvein.report.appearance import Rows
from goldvein.review.planner import plan
from goldvein.runs.decided import check
from goldvein.runs.decisions import ACTIONS, Log

if TYPE_CHECKING:
    from PIL import Image

    from goldvein.runs import Run
    from goldvein.runs.decisions import Decision

LIKELY = 9  # classes that are offered by number
LONGEST_TEXT = 20_000  # characters of a text that a page is given
PICTURE_SIDE = 1024
State = tuple[int, str, int]  # version of the row, what was decided ("" for nothing), position of the label or -1


class Review:
    """Suspects in the order of the plan, each with what was decided about it.

    Parameters
    ----------
    run : Run
    rows : Rows
        What there is to see of them.
    log : Log
        Where decisions are kept.
    budget : int, optional
        Rows to look at: see :func:`goldvein.review.planner.plan`.

    Raises
    ------
    InputError
        If the log speaks of rows or classes that the run does not have.
    """

    def __init__(self, run: Run, rows: Rows, log: Log, budget: int | None = None) -> None:
        check(log.current(), run)
        self.run, self.rows, self.log = run, rows, log
        self.classes = [str(label) for label in run.classes]
        self.planned = plan(run.issues, budget)
        self.ids: list[str] = self.planned["id"].tolist()
        self._class_of = {label: k for k, label in enumerate(self.classes)}
        self._position = {row: k for k, row in enumerate(self.ids)}
        self._probs = run.predictions[[f"prob_{label}" for label in run.classes]].to_numpy()
        self._row_of = {row: k for k, row in enumerate(run.predictions["id"])}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def expected(self) -> float:
        """How many of the planned labels are expected to be wrong."""
        return float(self.planned["p_wrong"].sum())

    def card(self, k: int) -> dict[str, Any]:
        """All that a person is shown about the planned row ``k``, as plain values."""
        issue, look = self.planned.iloc[k], self.rows.look(self.ids[k])
        given, suggested = (self._class_of[str(issue[name])] for name in ("given_label", "suggested_label"))
        probs = self._probs[self._row_of[self.ids[k]]].copy()
        told = {given: 1 - issue["p_wrong"]}  # what the label tells besides the network
        if np.isfinite(issue.get("p_suggested", np.nan)):
            told[suggested] = issue["p_suggested"]
        probs[list(told)] = list(told.values())
        others = np.isin(np.arange(len(probs)), list(told), invert=True)
        probs[others] *= max(0.0, 1 - sum(told.values())) / max(float(probs[others].sum()), 1e-12)
        likely = np.argsort(-probs, kind="stable")[:LIKELY].tolist()
        text = look.text if look.text is None else look.text[:LONGEST_TEXT]
        return {
            "id": self.ids[k],
            "given": given,
            "suggested": suggested,
            "p_wrong": float(issue["p_wrong"]),
            "reason": issue["reason"],
            "likely": [[c, float(probs[c])] for c in likely],
            "picture": look.is_picture,
            "text": text,
            "cut": 0 if look.text is None else len(look.text) - len(text or ""),
            "values": list(look.values),
            "missing": look.missing,
        }

    def picture(self, k: int) -> Image.Image:
        """The picture of the planned row ``k``; InputError where there is none."""
        from goldvein.report.appearance import picture

        return picture(self.rows.look(self.ids[k]), PICTURE_SIDE)

    def state(self, k: int) -> State:
        """What stands for the planned row ``k`` now."""
        return self._state(self.log.version(self.ids[k]), self.log.decision(self.ids[k]))

    def states(self) -> tuple[int, list[State]]:
        """Number of the last event, and :meth:`state` of every planned row."""
        last, touched = self.log.touched(0)
        known = {row: self.state(self._position[row]) for row in touched if row in self._position}
        return last, [known.get(row, (0, "", -1)) for row in self.ids]

    def changes(self, since: int) -> tuple[int, list[tuple[int, State]]]:
        """Number of the last event, and the planned rows that events after ``since`` are about."""
        last, touched = self.log.touched(since)
        positions = [self._position[row] for row in touched if row in self._position]
        return last, [(k, self.state(k)) for k in positions]

    def decide(self, k: int, action: str, label: int | None, *, client: str, seen: int) -> None:
        """Write a decision; it is on the disk when this returns.

        Parameters
        ----------
        k : int
            Position in the plan.
        action : one of :data:`goldvein.runs.decisions.ACTIONS`
        label : int or None
            For relabel: position of the class.
        client : str
            Who decides.
        seen : int
            Version of the row that the client saw.

        Raises
        ------
        InputError
            For an unknown action or class, or if the decision cannot be written.
        ConflictError
            If another client has decided about the row meanwhile.
        """
        if action not in ACTIONS:
            raise InputError(f"action {action!r}: it must be one of {', '.join(ACTIONS)}")
        given = str(self.planned["given_label"].iloc[k])
        name = given if action == "keep" else None
        if action == "relabel":
            if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < len(self.classes):
                raise InputError(f"label {label!r}: it must be a position in 0..{len(self.classes) - 1}")
            name = self.classes[label]
            action = "keep" if name == given else action
        self.log.decide(self.ids[k], action, name, client=client, seen=seen)

    def undo(self, client: str) -> int | None:
        """Take back the client's last decision; the row's position, -1 if it is not planned, None without one."""
        row = self.log.undo(client)
        return None if row is None else self._position.get(row, -1)

    def _state(self, version: int, decision: Decision | None) -> State:
        if decision is None:
            return version, "", -1
        return version, decision.action, -1 if decision.label is None else self._class_of.get(decision.label, -1)
