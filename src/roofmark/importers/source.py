"""A foreign file, opened with care: bounded, unpacked on the way, never trusted.

In: a path. Out: a `ForeignFile` that gives its head, its bytes as a stream (gzip is unpacked on the
way), and its provenance. Reading stops with RM417 where a file is larger than any honest one, and
an unpacked stream where it grows beyond what honest data compresses to. A cut gzip gives what comes
before the cut, and the file then says what it lost.
"""

import csv
import gzip
import hashlib
import io
import os
import re
import stat
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import Source
from roofmark.records import Missing
from roofmark.terminal_text import file_name

# Chosen: enough to tell every format from its beginning, small enough to keep.
HEAD_BYTES = 65536
# Chosen: the largest honest trace that was met has 350 MB unpacked; 16 times that.
LARGEST = 6 * 2**30
# Chosen: JSON of traces compresses 10 to 40 times; 200 is a bomb.
LARGEST_RATIO = 200
# Chosen: a row of a report is below 1 MB, whatever a kernel's name holds.
LONGEST_LINE = 1 << 20
_GZIP = b"\x1f\x8b"
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")


@dataclass(frozen=True)
class Declared:
    """What the caller says about a file that does not say it itself.

    column: which column holds times. unit: "s", "ms", "us" or "ns". warm_up: how many of the first
    samples do not count. fields: what a key holds ("text", "reply"). rule: how an answer is taken.
    """

    column: str | None = None
    unit: str | None = None
    warm_up: int | None = None
    fields: tuple[tuple[str, str], ...] = ()
    rule: str | None = None


@dataclass(frozen=True)
class ForeignFile:
    """One file of another tool. lost: why its stream ended early, once it was read that far."""

    path: Path
    declared: Declared
    lost: list[str] = field(default_factory=list[str], compare=False)

    @cached_property
    def packed(self) -> bool:
        """Whether it is gzip."""
        with self.path.open("rb") as raw:
            return raw.read(2) == _GZIP

    def head(self) -> bytes:
        """Return the first 64 KiB, unpacked."""
        with self.stream() as stream:
            return stream.read(HEAD_BYTES)

    @contextmanager
    def stream(self) -> Generator[BinaryIO]:
        """Open the unpacked bytes; a cut gzip ends early and is told in `lost`.

        Raises (while it is read): ImportFailed RM416, RM417.
        """
        with self.path.open("rb") as raw:
            inner = gzip.GzipFile(fileobj=raw) if self.packed else raw
            size = os.fstat(raw.fileno()).st_size
            limit = min(LARGEST, max(HEAD_BYTES, size * LARGEST_RATIO)) if self.packed else LARGEST
            yield io.BufferedReader(_Bounded(inner, limit, self), buffer_size=1 << 18)

    def lines(self) -> Iterator[str]:
        """Yield lines without their ends, decoded as UTF-8, what is none replaced."""
        with self.stream() as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise self.malformed(f"line {number} is longer than {LONGEST_LINE} bytes")
                yield line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").rstrip("\r\n")

    def text(self, *, limit: int = 1 << 26) -> str:
        """Return all of it as text. Raises: ImportFailed RM417 beyond `limit` bytes."""
        return self.data(limit=limit).decode("utf-8-sig", "replace")

    def data(self, *, limit: int) -> bytes:
        """Return all of its bytes. Raises: ImportFailed RM417 beyond `limit` bytes."""
        with self.stream() as stream:
            found = stream.read(limit + 1)
        if len(found) > limit:
            raise self.too_large(limit)
        return found

    def rows(
        self, lines: Iterator[str] | None = None, *, ragged: bool = False
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield a CSV's rows by column name, with their numbers from the header's, which is 1.

        ragged: a row may end early; what it leaves out is "".
        Raises: ImportFailed RM416 where a row has another number of fields than the header.
        """
        reader = csv.reader(lines or self.lines(), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            for fields in reader:
                if not any(field.strip() for field in fields):
                    continue
                row = fields + [""] * (len(header) - len(fields)) if ragged else fields
                if len(row) != len(header):
                    raise self.malformed(
                        f"line {reader.line_num} has {len(row)} fields; the header has "
                        f"{len(header)}"
                    )
                yield reader.line_num, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise self.malformed(f"line {reader.line_num}: {error}") from error

    def source(self, format: str, tool: str | Missing) -> Source:
        """Return the file's provenance; reads it once more for the digest."""
        digest = hashlib.sha256()
        with self.path.open("rb") as raw:
            while block := raw.read(1 << 20):
                digest.update(block)
            size = raw.tell()
        name = file_name(self.path.name)
        return Source(name=name, format=format, size=size, sha256=digest.hexdigest(), tool=tool)

    def malformed(self, fact: str) -> ImportFailed:
        """Return the error for damage; `fact` names line or byte."""
        return ImportFailed(
            problem("RM416", fact, str(self.path), "Export it again, or cut it where it is whole.")
        )

    def failed(self, fact: str) -> ImportFailed:
        """Return the error for a file in which a tool says that it failed."""
        return ImportFailed(
            problem("RM418", fact, str(self.path), "Mend what it says and capture again.")
        )

    def unclear(self, fact: str, mend: str) -> ImportFailed:
        """Return the error for numbers of unknown meaning."""
        return ImportFailed(problem("RM419", fact, str(self.path), mend))

    def too_large(self, limit: int) -> ImportFailed:
        """Return the error for a file beyond a bound."""
        return ImportFailed(
            problem(
                "RM417",
                f"more than {limit:,} bytes when read",
                str(self.path),
                "Filter it with the tool that wrote it, or split it.",
            )
        )


def open_foreign(path: Path, declared: Declared) -> ForeignFile:
    """Return the file if it is one that can be opened. Raises: ImportFailed RM415."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
    except OSError as error:
        raise ImportFailed(
            problem(
                "RM415",
                f"the file cannot be opened: {error.strerror}",
                str(path),
                "Check its name and its permissions.",
            )
        ) from error
    if not stat.S_ISREG(mode):
        raise ImportFailed(problem("RM415", "this is no regular file", str(path), "Name one file."))
    return ForeignFile(path, declared)


def number(text: str) -> float | Missing:
    """Return a number as tools print it, thousands separated by commas; Missing when it is none.

    >>> number("1,052,228"), number("n/a"), number("2,75")
    (1052228.0, Missing(reason="'n/a' is no number"), Missing(reason="'2,75' is no number"))
    """
    bare = text.strip()
    if "," in bare:
        # A comma that separates no thousands is a decimal one: "2,75" is not 275.
        bare = bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else "nan"
    try:
        value = float(bare)
    except ValueError:
        value = float("nan")
    if value - value != 0:  # NaN or infinite: no measurement
        return Missing(reason=f"{text.strip()[:60]!r} is no number")
    return value


class _Bounded(io.RawIOBase):
    """Passes bytes on until there are too many, and turns a packer's errors into ours."""

    def __init__(
        self, inner: gzip.GzipFile | io.BufferedReader, limit: int, file: ForeignFile
    ) -> None:
        self._inner, self._limit, self._file, self._read = inner, limit, file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            # One piece at a time: `read` would lose what it unpacked before a cut.
            data = self._inner.read1(len(buffer))
        except EOFError as error:
            if not self._read:
                raise self._file.malformed("gzip: cut before the first byte of content") from error
            self._file.lost[:] = [f"the gzip file is cut after {self._read:,} unpacked bytes"]
            return 0
        except (zlib.error, gzip.BadGzipFile) as error:
            raise self._file.malformed(f"gzip after {self._read} bytes: {error}") from error
        self._read += len(data)
        if self._read > self._limit:
            raise self._file.too_large(self._limit)
        buffer[: len(data)] = data
        return len(data)
