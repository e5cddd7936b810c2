"""Events in files and streams, one a line, plain or compressed.

The same records give the same bytes, however many are handed over at once: the compressors see blocks of a
fixed size, no time and no name.
"""

import errno
import gzip
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

import zstandard

from data_generator.facts import Record
from mercato.errors import MercatoError, WrongUse

FILE_NAME = "events.ndjson"
#: How files can be compressed, and the end of the file's name.
COMPRESSIONS = ("gz", "zst")

_BLOCK = 1 << 20
#: zlib's own default; a third of the time of gzip's 9, and 4 % larger.
_GZIP_LEVEL = 6


class FileSink:
    """Records to DIR/events.ndjson, one a line; the name appears, or changes hands, when the file is whole.

    With `compress` (gz or zst) its name ends so.

    Raises:
        WrongUse: the folder can't be made or written.
    """

    def __init__(self, folder: Path, compress: str | None = None) -> None:
        self.path = folder / (f"{FILE_NAME}.{compress}" if compress else FILE_NAME)
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._block = bytearray()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("wb")
        except OSError as error:
            raise WrongUse(f"{folder} can't be written: {error.strerror}", "choose another --out") from None
        self._stream = _compressor(self._file, compress)

    def send(self, records: list[Record]) -> None:
        """Append records.

        Raises:
            MercatoError: the disk is full.
        """
        if self._stream is self._file:
            self._write(joined(records))
            return
        self._block += joined(records)
        while len(self._block) >= _BLOCK:
            self._write(self._block[:_BLOCK])
            del self._block[:_BLOCK]

    def close(self) -> None:
        """Put the whole file in its place.

        Raises:
            MercatoError: the disk is full.
        """
        self._write(self._block)
        try:
            if self._stream is not self._file:
                self._stream.close()  # the compressor's last bytes; the file stays open
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._full(error) from None
        self._part.replace(self.path)

    def abort(self) -> None:
        """Remove what was begun."""
        self._part.unlink(missing_ok=True)
        for stream in (self._stream, self._file):
            with suppress(OSError):  # what is still to be written may find the disk full
                stream.close()

    def _write(self, block: bytes | bytearray) -> None:
        try:
            self._stream.write(block)
        except OSError as error:
            raise self._full(error) from None

    def _full(self, error: OSError) -> MercatoError:
        return MercatoError(f"{self._part} can't be written: {error.strerror}", "make room, or another --out")


class StreamSink:
    """Records to an open binary stream, as standard output, one a line."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def send(self, records: list[Record]) -> None:
        """Write and flush records, so that a slow stream still flows.

        Raises:
            MercatoError: the reader went away.
        """
        try:
            self._stream.write(joined(records))
            self._stream.flush()
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            raise MercatoError("the reader of the stream went away", "none, if that was meant") from None

    def close(self) -> None:
        """Nothing waits: each send is flushed."""

    def abort(self) -> None:
        """Nothing to undo."""


def joined(records: list[Record]) -> bytes:
    """The lines of records, each with its end."""
    return b"".join([record.line + b"\n" for record in records if record.line is not None])


def _compressor(file: IO[bytes], compress: str | None) -> IO[bytes]:
    if compress == "gz":
        return gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0)  # type: ignore[return-value]
    if compress == "zst":
        return zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False)
    return file
