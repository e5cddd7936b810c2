"""Named queries: `query("name")` is the statement under `-- name: name` in queries.sql."""

import re
from functools import cache
from pathlib import Path


@cache
def _queries() -> dict[str, str]:
    text = (Path(__file__).parent / "queries.sql").read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def query(name: str) -> str:
    """The statement of this name; KeyError if there is none."""
    return _queries()[name]
