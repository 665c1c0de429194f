"""Checkpoints are zip archives with a checksum of every tensor, which torch does not look at."""

from __future__ import annotations

import os
import zipfile


def require_whole(path: str | os.PathLike) -> None:
    """Refuse a checkpoint of which a byte has changed since it was written; older ones that are no archives pass.

    Raises:
        zipfile.BadZipFile, zlib.error or another error of that module: it is damaged.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} has changed since it was written")
