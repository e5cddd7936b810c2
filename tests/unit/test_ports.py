"""Ports of the local services are kept while several services start at once."""

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
