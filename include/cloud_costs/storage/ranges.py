"""Large objects as files: read by ranges, in pieces, so that a broken connection costs one piece.

Arrow seeks in a Parquet file, and `zipfile` in an archive. Object storage has no file handles, so each read is a
request for a range of bytes.
"""

import errno
import io
import os
from collections.abc import Callable
from typing import Any

from cloud_costs.errors import StorageUnavailable

# Bytes of one request, and how often it is tried. Larger pieces lose more when a connection breaks.
PIECE_BYTES = 8 << 20
# The clouds' libraries repeat requests that fail before an answer begins. These tries are for a body that breaks off
# half way, which boto3 does not repeat.
PIECE_TRIES = 3


class Ranges(io.RawIOBase):
    """A file of `size` bytes. `read(start, end)` returns exactly the bytes of a range, or raises."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self._size, self._at = read, size, 0

    def readable(self) -> bool:
        """Say that the file can be read."""
        return True

    def seekable(self) -> bool:
        """Say that the file can be read from any place."""
        return True

    def tell(self) -> int:
        """Return the place of the next read, in bytes from the start."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the place of the next read; behind the end is allowed, as in any file, and before the start is not."""
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer and return how many bytes that took; fewer than the buffer holds only at the end of the file.

        A raw file may return less at any time. Arrow takes a shorter answer for the end of the file, so this one never
        does.
        """
        start, end = self._at, min(self._at + len(buffer), self._size)
        while self._at < end:
            piece = self._piece(self._at, min(self._at + PIECE_BYTES, end))
            buffer[self._at - start : self._at - start + len(piece)] = piece
            self._at += len(piece)
        return max(self._at - start, 0)

    def _piece(self, start: int, end: int) -> bytes:
        for left in reversed(range(PIECE_TRIES)):
            try:
                return self._read(start, end)
            # Nothing of a broken piece is kept: a new request reads it whole.
            except StorageUnavailable:
                if not left:
                    raise
        raise AssertionError
