"""Apache Kafka itself, in KRaft mode: one broker that is its own controller, for the tests and benchmarks.

Its jars are Maven's, as infrastructure/kafka/pom.xml pins them, fetched once a checkout; each is the one whose
SHA-256 is committed, or it does not run. 3 to 4 s to start, about 300 MB of memory, its log kept over kill -9.
After a change of version, `.venv/bin/python tests/apache_kafka.py [FOLDER of pom.xml]` writes its jars.sha256 anew.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from mercato.services import process
from mercato.settings import ROOT

INFRASTRUCTURE = ROOT / "infrastructure" / "kafka"
CLUSTER = "mercato-tests-kafka-00"  # 22 characters of base64, as Kafka wants it
JAVA = [
    "java",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
]
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={home}/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2097152
"""


class NotHere(Exception):
    """Apache Kafka can't be had on this machine; the message says what is missing."""


class Broker:
    """One broker. `home`: its folder for data and log, made if absent; the same records.

    `more`: properties beside ours, or in their place.
    """

    def __init__(self, home: Path, *, heap_mb: int = 256, more: str = "") -> None:
        self.home = home
        self._heap_mb = heap_mb
        self._more = more

    def start(self) -> str:
        """Start it and wait until it serves; returns its bootstrap servers.

        Raises:
            NotHere: Java, Maven or a jar is missing.
            RuntimeError: it stopped at once, or hangs; the message ends with its last words.
        """
        java = [*JAVA, "-Xms64m", f"-Xmx{self._heap_mb}m", "-cp", f"{jars()}/*"]
        self.home.mkdir(parents=True, exist_ok=True)
        port = process.choose_port(self.home, "kafka", None)
        controller_port = process.choose_port(self.home, "controller", None)
        config = self.home / "server.properties"
        config.write_text(
            (PROPERTIES + self._more)
            .replace("{port}", str(port))
            .replace("{controller_port}", str(controller_port))
            .replace("{home}", str(self.home)),
            encoding="utf-8",
        )
        log = self.home / "broker.log"
        if not (self.home / "log" / "meta.properties").exists():
            words = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config", str(config)]
            with log.open("ab") as out:
                subprocess.run([*java, *words], stdout=out, stderr=out, check=True)
        pid = process.spawn([*java, "kafka.Kafka", str(config)], log=log, pid_file=self.home / "pid")
        child = psutil.Process(pid)
        process.wait_until(
            lambda: not process.port_free(port) or child.status() == psutil.STATUS_ZOMBIE, seconds=180
        )
        if process.port_free(port):
            self.kill()
            raise RuntimeError(f"Apache Kafka doesn't listen on port {port}:\n{log.read_text()[-2_000:]}")
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        """Stop it in good order; its records stay."""
        if running := self._running():
            process.stop(running)

    def kill(self) -> None:
        """End it as a power cut would: no last word, nothing flushed by it."""
        if running := self._running():
            running.kill()
            running.wait(10)

    def _running(self) -> psutil.Process | None:
        return process.alive(process.read_number(self.home / "pid"), str(self.home))


def jars(pinned: Path = INFRASTRUCTURE) -> Path:
    """A folder of the jars that `pinned`'s pom.xml names, each the one that its jars.sha256 names.

    Raises:
        NotHere: Java 17 or Maven is missing, or Maven can't get them.
        RuntimeError: a jar is another one.
    """
    wanted = (pinned / "jars.sha256").read_text("utf-8")
    folder = ROOT / ".mercato" / "jars" / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    _java_17()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:  # two test runs at once fetch once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = folder.with_suffix(".new")
            _fetch(pinned / "pom.xml", draft)
            if (found := _sums(draft)) != wanted:
                odd = {line.split()[1] for line in {*found.splitlines()} ^ {*wanted.splitlines()}}
                raise RuntimeError(f"not the jars of {pinned / 'jars.sha256'}: {', '.join(sorted(odd))}")
            draft.rename(folder)
    return folder


def _fetch(pom: Path, folder: Path) -> None:
    """Let Maven copy what a pom needs at run time into the folder, its own checksums enforced (-C)."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NotHere("Maven is missing (`mvn`): on Debian and Ubuntu `apt-get install maven`")
    shutil.rmtree(folder, ignore_errors=True)
    words = ["-B", "-C", "-q", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run(
        [maven, *words, f"-DoutputDirectory={folder}"],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        wrong = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise NotHere(f"Maven can't get the jars of {pom}: {wrong[0] if wrong else done.stderr.strip()}")


def _sums(folder: Path) -> str:
    """SHA-256 and name of each jar, a line each, as `sha256sum` writes them."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.glob("*.jar"))
    )


def _java_17() -> None:
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
        version = int(said.split('"')[1].split(".")[0])
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        version = 0
    if version < 17:
        had = f"Java {version}" if version else "no Java"
        raise NotHere(f"Apache Kafka needs Java 17, here is {had}: `apt-get install default-jre-headless`")


if __name__ == "__main__":
    for place in [Path(word) for word in sys.argv[1:]] or [INFRASTRUCTURE]:
        made = ROOT / ".mercato" / "jars.new"
        _fetch(place / "pom.xml", made)
        (place / "jars.sha256").write_text(_sums(made), encoding="utf-8")
        shutil.rmtree(made)
