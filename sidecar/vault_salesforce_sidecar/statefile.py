"""A file in the state directory: readable for its owner alone, and replaced as a whole."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(file: Path) -> dict[str, Any]:
    """What it holds; empty where there is none. Raises: OSError, ValueError: it cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Replace it, and be sure that it is on the disk. Raises: OSError: it is as it was."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as text:
        json.dump(dict(content), text)
        text.flush()
        os.fsync(text.fileno())
    draft.replace(file)
