"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

RunFolder = Annotated[Path, Argument(metavar="RUN", help="Run folder that goldvein train wrote.")]
NewFile = Annotated[Path, Option(metavar="FILE", help="New CSV file.")]
DataNow = Annotated[str | None, Option(metavar="DATA", help="New path of the data, if it has moved.")]
DataDir = Annotated[str | None, Option(metavar="DIR", help="Folder of the standard data sets.")]
SkipBad = Annotated[bool, Option("--skip-bad", help="Skip images that cannot be read.")]
Json = Annotated[bool, Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print errors only.")]
