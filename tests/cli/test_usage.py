"""Commands with usage errors."""

import pytest


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("review RUN --port 99999", ("--port", "65535", "99999", "review -h")),
        ("review RUN --budget 0", ("--budget", "1", "'0'", "review -h")),
        ("train --out RUN", ("DATA", "train -h")),
        ("train a --out RUN --bogus 3", ("--bogus", "train -h")),
        ("bench a.toml --jobs many", ("--jobs", "integer", "many", "bench -h")),
        ("trian a", ("trian", " -h")),
    ],
)
def test_one_line_says_what_is_wrong_and_where_to_look(refused, command, parts):
    line = refused(*command.split())
    assert all(part in line for part in parts), line
