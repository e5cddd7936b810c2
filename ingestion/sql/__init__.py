"""Named queries: `query("name")` is the statement under `-- name: name` in a *.sql file of this folder."""

import re
from functools import cache
from pathlib import Path


@cache
def _queries() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.glob("*.sql")):
        parts = re.split(r"^-- name: (\w+)\n", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
        for name, statement in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"{path.name} names the query {name} again")
            found[name] = statement
    return found


def query(name: str) -> str:
    """The statement of this name; KeyError if there is none."""
    return _queries()[name]
