"""What a browser keeps: our own scripts and styles, and plotly.js from its wheel.

The address holds a digest of all files, so a browser may keep them for ever and still sees a new version at once.
Compressed once, they stay in memory: plotly.js is 4.8 MB as it is.
"""

import gzip
import hashlib
import mimetypes
import threading
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
PLOTLY = "plotly.min.js"
# What pays to be compressed.
TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml")
FOR_EVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is sent: its content, compressed where that pays, and its type."""

    content: bytes
    media_type: str
    compressed: bytes | None


@cache
def version() -> str:
    """Return the digest of all files, which their addresses hold."""
    digest = hashlib.sha256(metadata.version("plotly").encode())
    for path in _paths().values():
        if path.parent != _plotly().parent:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_reading = threading.Lock()


def find(name: str) -> Asset | None:
    """Return a file by its path below `static/<version>/`; None where there is none."""
    if name not in _paths():
        return None
    # Of several first requests, one compresses.
    with _reading:
        return _read(name)


@cache
def _read(name: str) -> Asset:
    content = _paths()[name].read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = gzip.compress(content, mtime=0) if media_type.startswith(TEXT) else None
    return Asset(content, media_type, compressed)


@cache
def _paths() -> dict[str, Path]:
    """Return all files by name. A request can name nothing else, whatever dots are in it."""
    own = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    return {**own, PLOTLY: _plotly()}


@cache
def _plotly() -> Path:
    # Importing plotly takes a tenth of a second, and the page needs nothing but this file of it.
    found = find_spec("plotly")
    if found is None or found.origin is None:
        raise RuntimeError("plotly is not installed; it is in requirements.txt")
    return Path(found.origin).parent / "package_data" / PLOTLY
