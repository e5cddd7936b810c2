"""A backup is restored into another, empty server: the same books and tables, and it goes on from there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mercato import postgres as driver
from mercato.postgres import Connection
from mercato.services import endpoints, postgres, process
from mercato.settings import ROOT, Settings

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def elsewhere() -> Iterator[Settings]:
    """An empty server of its own, whose transaction ids are its own: another home and other passwords."""
    home = ROOT / ".mercato" / f"test-{os.getpid()}-elsewhere"
    settings = Settings(home=home, _env_file=None)
    with process.exclusive(home):
        postgres.start(settings)
    yield settings
    postgres.stop(settings)
    shutil.rmtree(home)


@pytest.fixture
def there(elsewhere: Settings, environment: dict[str, str]) -> Run:
    """The command with the other server as its warehouse, and the same broker."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("mercato")), *words],
            env={**environment, **endpoints.environment(elsewhere), "MERCATO_HOME": str(elsewhere.home)},
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip

    return run


def ok(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_backup_restored_into_an_empty_server_is_whole_and_goes_on(
    mercato: Run, there: Run, warehouse: Connection, elsewhere: Settings, tmp_path: Path
) -> None:
    def shop(seed: int, days: int) -> None:
        ok(
            mercato(
                "generate",
                "--days",
                str(days),
                "--sessions-per-day",
                "60",
                "--seed",
                str(seed),
                "--faults",
                "0.02",
                "--truth",
                str(tmp_path / f"truth-{seed}.json"),
            )
        )

    # This server has used up many more transaction ids than a new one: ids carried over as they are would be ahead.
    warehouse.execute(
        "do $$ begin for i in 1..3000 loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    shop(1, 3)
    ok(mercato("consume", "--until-empty"))
    ok(mercato("transform"))
    shop(2, 2)
    ok(
        mercato("consume", "--until-empty")
    )  # in raw, not in the models: the restored ones must take exactly these
    made = json.loads(ok(mercato("backup", "--to", str(tmp_path), "--json")).stdout)
    shop(3, 2)  # after the backup: in Kafka alone

    restored = json.loads(ok(there("restore", made["folder"], "--json")).stdout)
    assert restored["sums"] == made["sums"]
    ok(there("verify"))
    with driver.connect(endpoints.warehouse(elsewhere)) as connection:
        (most, now), *_ = connection.execute(
            "select max(load_xid), pg_snapshot_xmin(pg_current_snapshot()) from ops.ledger"
        ).fetchall()
        assert int(most) < int(now)
        owners = connection.execute(
            "select distinct tableowner from pg_tables where schemaname = 'marts'"
        ).fetchall()
        assert owners == [(postgres.TRANSFORMER,)]
    ok(there("consume", "--until-empty"))
    ok(there("transform"))
    ok(there("verify", "--full-refresh"))

    refused = there("restore", made["folder"])
    assert refused.returncode == 2
    assert "holds data" in refused.stderr


def test_a_backup_that_was_changed_or_cut_off_is_refused(mercato: Run, tmp_path: Path) -> None:
    made = json.loads(ok(mercato("backup", "--to", str(tmp_path), "--json")).stdout)
    folder = Path(made["folder"])
    assert {path.name for path in folder.iterdir()} == {"warehouse.dump", "manifest.json"}
    assert (folder / "warehouse.dump").stat().st_mode & 0o077 == 0
    with (folder / "warehouse.dump").open("r+b") as file:
        file.truncate(made["bytes"] - 1)
    refused = mercato("restore", str(folder))
    assert refused.returncode == 2
    assert "isn't the file that was written" in refused.stderr


def test_only_the_newest_backups_of_this_database_are_kept(
    mercato: Run, tmp_path: Path, settings: Settings
) -> None:
    for stamp in ("20260101T000000Z", "20260102T000000Z", "20260103T000000Z"):
        for database in (settings.warehouse.database, "another"):
            old = tmp_path / f"{database}-{stamp}"
            old.mkdir()
            (old / "manifest.json").write_text("{}")
            (old / "warehouse.dump").write_text("")
    ok(mercato("backup", "--to", str(tmp_path), "--keep", "2"))
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in left if name.startswith("another")] == [
        f"another-2026010{n}T000000Z" for n in (1, 2, 3)
    ]
    assert len([name for name in left if name.startswith(settings.warehouse.database)]) == 2
    assert f"{settings.warehouse.database}-20260103T000000Z" in left
