"""A worker: simulates some shards of the people for the process that started it (see workers).

Reads the pickled config and the numbers of its shards from stdin, writes each day as one frame to stdout.
"""

import os
import pickle
import sys

from data_generator import simulate, workers


def main() -> None:
    """Simulate until all days are handed over or nobody takes them any more."""
    config, numbers = pickle.load(sys.stdin.buffer)  # noqa: S301 -- from the process that started this one
    try:
        with simulate.without_collector():
            for today in simulate.days(config, numbers):
                workers.write_frame(sys.stdout.buffer, workers.pack(today))
    except BrokenPipeError:
        # The parent is gone: nothing left to flush, nobody to tell.
        os._exit(0)


if __name__ == "__main__":
    main()
