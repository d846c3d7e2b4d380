"""Write files below the folder that stands for the bucket. A reader finds a whole file at a key, or none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(bucket_dir: Path, key: str) -> Iterator[Path]:
    """Give a temporary path that is renamed to the key's when all went well; a leading slash of the key is left out."""
    target = bucket_dir / key.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(bucket_dir: Path, key: str, text: str) -> None:
    """Write a small file of text, in UTF-8."""
    with replacing(bucket_dir, key) as path:
        path.write_text(text, encoding="utf-8")
