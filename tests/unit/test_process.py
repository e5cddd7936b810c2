"""Processes and ports of the local services, while several start at once."""

import os
import signal
import threading
from pathlib import Path

from mercato.services import process


def test_a_port_can_be_read_at_any_moment_while_another_service_is_given_one(tmp_path: Path) -> None:
    first = process.choose_port(tmp_path, "kafka", None)
    done = threading.Event()

    def start_others() -> None:
        for number in range(100):
            process.choose_port(tmp_path, "airflow" if number % 2 else "postgres", None)
            process.choose_port(tmp_path, "kafka", None)
        done.set()

    thread = threading.Thread(target=start_others)
    thread.start()
    seen = set()
    while not done.is_set():
        seen.add(process.known_port(tmp_path, "kafka"))
    thread.join()
    assert seen == {first}


def test_a_process_is_known_from_its_first_moment(tmp_path: Path) -> None:
    # One in 75 was taken for dead, and ran on for ever.
    for number in range(300):
        pid = process.spawn(["sleep", "60", str(number)], log=tmp_path / "log", pid_file=tmp_path / "pid")
        known = process.alive(process.read_number(tmp_path / "pid"), f"sleep 60 {number}")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert known
