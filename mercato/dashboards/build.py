"""Writes grafana/dashboards/ from the definitions.

Guarantee: only files that differ are written, so an edited panel changes one file; a file of no dashboard goes.
Run alone: `python -m mercato.dashboards.build`.
"""

from pathlib import Path

from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.to_grafana import dumps
from mercato.settings import ROOT

FOLDER = ROOT / "grafana" / "dashboards"


def files() -> dict[Path, str]:
    """Each file and what it must hold; a folder a reader."""
    return {
        FOLDER / dashboard.folder.en / f"{dashboard.uid}.json": dumps(dashboard, DASHBOARDS)
        for dashboard in DASHBOARDS
    }


def write() -> list[Path]:
    """Bring the folder up to date; the files that were written or deleted."""
    wanted = files()
    changed = []
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            changed.append(path)
    for path in set(FOLDER.rglob("*.json")) - set(wanted):
        path.unlink()
        changed.append(path)
    return changed


if __name__ == "__main__":
    for written in write():
        print(written.relative_to(ROOT))
