"""Writing below the folder that stands for the bucket: a key has its file in whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(bucket_dir: Path, key: str) -> Iterator[Path]:
    """Give a temporary path that takes the key's place when all went well; a leading slash of a key has no
    folder.
    """
    target = bucket_dir / key.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(bucket_dir: Path, key: str, text: str) -> None:
    with replacing(bucket_dir, key) as path:
        path.write_text(text, encoding="utf-8")
