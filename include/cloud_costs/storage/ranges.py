"""Large objects as files: read by ranges, in pieces, so that a broken connection costs one piece."""

import errno
import io
import os
from collections.abc import Callable
from typing import Any

from cloud_costs.errors import StorageUnavailable

# Bytes of one request, and how often it is tried. Larger pieces lose more when a connection breaks.
PIECE_BYTES = 8 << 20
PIECE_TRIES = 3


class Ranges(io.RawIOBase):
    """A file that is read by ranges, in pieces: a broken connection costs one piece."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self._size, self._at = read, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, except at the end of the file: Arrow takes any shorter answer for the end of the file."""
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
            except StorageUnavailable:
                if not left:
                    raise
        raise AssertionError
