"""The published tables that goldvein brings: one TOML file each, found by its name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from goldvein.errors import unknown

TABLES = Path(str(files("goldvein.bench") / "tables"))


def table_names() -> list[str]:
    """Return the names of the published tables.

    Examples
    --------
    >>> "digits_smoke" in table_names()
    True
    """
    return sorted(path.stem for path in TABLES.glob("*.toml"))


def find_table(table: str | Path) -> Path:
    """Return the file of a table, given by the name of a published table or by a path.

    Raises
    ------
    InputError
        If there is no published table of that name, and no such file.
    """
    path = Path(table)
    if str(table) in table_names():
        return TABLES / f"{table}.toml"
    # a single word is more likely a misspelled name than a path
    if path.name == str(table) and not path.suffix and not path.exists():
        raise unknown("published table", str(table), table_names())
    return path
