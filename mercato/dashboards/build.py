"""Writes grafana/dashboards/ and the alert rules of grafana/provisioning/ from the definitions.

Guarantee: only files that differ are written, so an edited panel changes one file; a file of no dashboard goes.
Run alone: `python -m mercato.dashboards.build`.
"""

import json
from pathlib import Path

from mercato.dashboards import alerts
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.to_grafana import dumps
from mercato.settings import ROOT

FOLDER = ROOT / "grafana" / "dashboards"
ALERTING = ROOT / "grafana" / "provisioning" / "alerting"
#: Where Grafana finds the addresses in production; `mercato up --grafana` writes those that are set. Not in braces: it
#: would read a $ in the value once more.
_ADDRESSES = ("$MERCATO_ALERTS__EMAIL", "$MERCATO_ALERTS__WEBHOOK", "$MERCATO_ALERTS__SLACK")


def files() -> dict[Path, str]:
    """Each file and what it must hold; a folder a reader."""
    found = {
        FOLDER / dashboard.folder.en / f"{dashboard.uid}.json": dumps(dashboard, DASHBOARDS)
        for dashboard in DASHBOARDS
    }
    for name, content in {
        "rules": alerts.provisioning(DASHBOARDS),
        "contact-points": alerts.contact_points(*_ADDRESSES),
        "policies": alerts.policies(),
    }.items():
        found[ALERTING / f"{name}.json"] = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return found


def write() -> list[Path]:
    """Bring the folder up to date; the files that were written or deleted."""
    wanted = files()
    changed = []
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            changed.append(path)
    for path in {*FOLDER.rglob("*.json"), *ALERTING.glob("*.json")} - set(wanted):
        path.unlink()
        changed.append(path)
    return changed


if __name__ == "__main__":
    for written in write():
        print(written.relative_to(ROOT))
