"""How full the disk with the local state is, noted in the warehouse, where dashboards and alerts see it."""

import shutil
import socket
from pathlib import Path

from ingestion.sql import query
from mercato.postgres import Connection


def measure(connection: Connection, folder: Path) -> None:
    """Note total and free bytes of the folder's disk under this machine's name."""
    usage = shutil.disk_usage(folder)
    found = {"machine": socket.gethostname(), "path": str(folder), "total": usage.total, "free": usage.free}
    connection.execute(query("measure_disk"), found)
