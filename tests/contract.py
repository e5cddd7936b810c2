"""What the contract promises senders, flat, and what breaks a promise.

`python -m tests.contract` adds what is new to the promises; it takes none back but under a new VERSION.
"""

import json
from collections.abc import Iterator
from typing import Any

from mercato.events import VERSION, json_schema
from mercato.settings import ROOT

PROMISES = ROOT / "tests/fixtures/contract_promises.json"
#: Each narrows what is accepted: it may go, and a new or other one is a breach.
BOUNDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems",
    "pattern", "format",
)  # fmt: skip


def promises(schema: dict[str, Any]) -> dict[str, str]:
    """Each property of each event to its types, bounds and whether it is required, as one text."""
    places = {"envelope": schema, "page": schema["page"], "identify": schema["identify"], **schema["track"]}
    return {
        name: json.dumps(promise, sort_keys=True)
        for place, shape in places.items()
        for name, promise in _properties(schema["$defs"], shape["$ref"], place)
    }


def breaches(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Which promises aren't kept, in words."""
    found = [f"{name} is gone" for name in old if name not in new]
    known = {name.rpartition(".")[0] for name in old}
    for name in new.keys() - old.keys():  # within what is new itself, anything may be required
        if json.loads(new[name])["required"] and name.rpartition(".")[0] in known:
            found.append(f"{name} is new and required")
    for name in old.keys() & new.keys():
        was, now = json.loads(old[name]), json.loads(new[name])
        if now["required"] and not was["required"]:
            found.append(f"{name} is required now")
        if "any" not in now["types"] and not set(was["types"]) <= set(now["types"]):
            found.append(f"{name} may no longer be {sorted(set(was['types']) - set(now['types']))}")
        found += [
            f"{name} has another bound: {bound}" for bound in now["bounds"] if bound not in was["bounds"]
        ]
    return sorted(found)


def _properties(defs: dict[str, Any], ref: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    shape = defs[ref.rpartition("/")[2]]
    for name, schema in shape["properties"].items():
        types: set[str] = set()
        bounds: list[str] = []
        inner: set[tuple[str, str]] = set()
        for one in schema.get("anyOf", [schema]):
            types.add(one.get("type", "object" if "$ref" in one else "any"))
            bounds += [f"{bound} {one[bound]}" for bound in BOUNDS if bound in one]
            if "$ref" in one:
                inner.add((one["$ref"], f"{path}.{name}"))
            if "$ref" in one.get("items", {}):
                inner.add((one["items"]["$ref"], f"{path}.{name}[]"))
        required = name in shape.get("required", [])
        yield f"{path}.{name}", {"types": sorted(types), "bounds": sorted(bounds), "required": required}
        for deeper, at in sorted(inner):
            yield from _properties(defs, deeper, at)


def main() -> None:
    """Write the promises anew."""
    kept = json.loads(PROMISES.read_text()) if PROMISES.exists() else {"version": 0, "promises": {}}
    new = promises(json_schema())
    if kept["version"] == VERSION and breaches(kept["promises"], new):
        raise SystemExit("\n".join(["raise VERSION, or keep these:", *breaches(kept["promises"], new)]))
    PROMISES.write_text(json.dumps({"version": VERSION, "promises": new}, indent=1) + "\n")


if __name__ == "__main__":
    main()
