"""Lines of log.jsonl and metrics.jsonl, and the names of previews and models by the images seen."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.files import cannot, json_line, open_regular

MOST = 2**63  # images seen, at most
LINE = 1_000_000  # bytes of a line at most


def read_end(path: Path, most: int) -> tuple[list[dict[str, Any]], int, int]:
    """The rows in a file's last `most` bytes, the number of damaged lines, and the number of bytes before them."""
    rows: list[dict[str, Any]] = []
    bad, skipped, line, row = 0, 0, b"", None
    with contextlib.suppress(UserError, OSError), open_regular(path) as file:  # missing, or not readable
        skipped = max(0, os.fstat(file.fileno()).st_size - most)
        if skipped:
            file.seek(skipped - 1)
            file.readline(most)  # skips the rest of a line
        for line in file.read(most).split(b"\n"):
            row = parsed(line)
            if row is not None:
                rows.append(row)
            elif line.strip():
                bad += 1
        bad -= bool(line.strip() and row is None)  # a last line without an end does not count: a crash cut it short
    return rows, bad, skipped


def parsed(line: bytes) -> dict[str, Any] | None:
    """The row in a line of a log; None if it is not a JSON object with a number of images."""
    row = json_line(line) if len(line) <= LINE else None
    seen = None if row is None else row.get("images")
    is_valid = isinstance(seen, int | float) and not isinstance(seen, bool) and 0 <= seen <= MOST
    return row if is_valid else None


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a line to a file of JSON lines.

    Raises:
        UserError: the system refused.
    """
    try:
        with open(
            path, "a", encoding="utf-8", newline="\n"
        ) as file:  # one write, so that lines of two processes do not mix
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise cannot("write", path, error) from error


PROTOCOL = {"extractor": str, "mark": str, "count": int, "split": str, "seed": int, "repeats": int, "labels": str}
PROTOCOL |= {"data": str, "fingerprint": str, "form": str, "version": int}
VALUES = ("value", "spread", "floor", "floor_spread")


def is_figure(row: dict[str, Any]) -> bool:
    """Is this line of metrics.jsonl a metric of an evaluation, with entries of the right types?"""
    protocol, entries = row.get("protocol"), {"metric": str, "title": str, "better": str, "share": bool, "note": str}
    if not isinstance(protocol, dict) or not set(row) <= {*entries, *VALUES, "protocol", "images"}:
        return False
    optional = {"form", "version", "note"}  # older versions did not write these
    return (
        all(type(row.get(k)) is kind for k, kind in entries.items() if k in row or k not in optional)
        and all(type(row.get(k)) in (int, float, type(None)) and abs(row.get(k) or 0) < 1e100 for k in VALUES)
        and set(protocol) <= set(PROTOCOL)
        and all(type(protocol.get(k)) is kind for k, kind in PROTOCOL.items() if k in protocol or k not in optional)
    )


def stamp(images: int, alone: bool) -> str:
    """The number in the name of a preview or model: thousands of images seen if it is `alone` in them, else images.

    Nine digits are images, six are thousands, which older versions of Ganvas can read as well.
    """
    return f"{images // 1000:06d}" if alone else f"{images:09d}"


def moment(path: Path) -> int | None:
    """The images seen when a preview or model was made, from its name by `stamp`; None for other files."""
    named = re.fullmatch(r"(?:fakes|model)_(\d{1,15})", path.stem, re.ASCII)
    if named is None:
        return None
    return int(named[1]) * (1 if len(named[1]) >= 9 else 1000)
