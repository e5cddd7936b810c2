"""Reads files of events: NDJSON, an event a line, plain or packed (.gz, .zst).

Guarantee: a file that can't be read to its end is refused. It is known by the SHA-256 of its unpacked content, whatever
its name or packing. Memory: a block, or the longest line.
Run alone: `mercato load FILE`.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from mercato.errors import MercatoError, WrongUse

BLOCK = 1 << 20
PACKED = 1 << 14  # a block of zstd unpacks to some ten times as much
LONGEST = 64 << 20  # bytes of a line; whatever has longer ones is no file of events


@dataclass(frozen=True, slots=True)
class EventFile:
    """A file that was read once, to its end: what it is known by, and its lines, blank ones too."""

    path: Path
    uid: str
    lines: int
    state: tuple[int, int]

    def check_unchanged(self) -> None:
        """Raises MercatoError: somebody has written to it since."""
        if _state(self.path) != self.state:
            raise MercatoError(
                f"{self.path} was changed while it was being loaded",
                "load it when nobody writes to it any more: its lines that are in are then counted as duplicates",
            )


def survey(path: Path) -> EventFile:
    """Read a file to its end.

    Raises:
        WrongUse: it isn't there, can't be unpacked, or isn't an event a line.
    """
    digest, count, first = hashlib.sha256(), 0, b""
    state = _state(path)
    for some in lines(path, digest.update):
        count += len(some)
        first = first or next((line for line in some if line.strip()), b"")[:BLOCK]
    if re.match(rb"\s*\[\s*$", first) or (count == 1 and re.match(rb"\s*\[\s*\{", first)):
        raise WrongUse(
            f"{path} is one JSON array, not an event a line", f"jq -c '.[]' {path.name} > events.ndjson"
        )
    return EventFile(path, digest.hexdigest(), count, state)


def lines(path: Path, on_block: Callable[[bytes], object] = lambda _: None) -> Iterator[list[bytes]]:
    """The file's lines, some at a time. Raises WrongUse where it can't be read."""
    rest, count = b"", 0
    try:
        for block in _blocks(path):
            on_block(block)
            *whole, rest = (rest + block).split(b"\n")
            count += len(whole)
            if len(rest) > LONGEST:
                raise WrongUse(f"{path} line {count + 1} has more than {LONGEST >> 20} MB", "an event a line")
            if whole:
                yield whole
        if rest:
            yield [rest]
    except EOFError:
        why, cure = f"{path} ends too early, in line {count + 1}", "fetch it again: a part of it is missing"
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        why, cure = (
            f"{path} can't be unpacked, after line {count}: {error}",
            "fetch it again, or pack it anew",
        )
    except OSError as error:
        why, cure = f"{path} can't be read: {error.strerror}", "name a file that is there and yours to read"
    else:
        return
    raise WrongUse(why, cure)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if path.suffix == ".zst":
            yield from _unpack_zst(file)
            return
        with gzip.open(file) if path.suffix == ".gz" else file as content:
            while block := content.read(BLOCK):
                yield block


def _unpack_zst(file: IO[bytes]) -> Iterator[bytes]:
    """Frame after frame: the library's own reader takes a file that was cut off for whole."""
    frame = None
    while packed := file.read(PACKED):
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(packed)
            packed = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame:
        raise EOFError


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise WrongUse(f"{path} can't be read: {error.strerror}", "name a file that is there") from None
    return found.st_size, found.st_mtime_ns
