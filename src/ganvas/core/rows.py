"""Lines of log.jsonl and metrics.jsonl, and how what is made along the way is named after its moment."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.files import cannot, json_line, open_regular

MOST = 2**63  # images that a row can be of
LINE = 1_000_000  # bytes of a line at most


def read_end(path: Path, most: int) -> tuple[list[dict[str, Any]], int, int]:
    """The rows of a file's last `most` bytes, how many lines there are none, and the bytes before them."""
    rows: list[dict[str, Any]] = []
    bad, skipped, line, row = 0, 0, b"", None
    with contextlib.suppress(UserError, OSError), open_regular(path) as file:  # not there yet, or not to be read
        skipped = max(0, os.fstat(file.fileno()).st_size - most)
        if skipped:
            file.seek(skipped - 1)
            file.readline(most)  # up to the end of a line that began before
        for line in file.read(most).split(b"\n"):
            row = parsed(line)
            if row is not None:
                rows.append(row)
            elif line.strip():
                bad += 1
        bad -= bool(line.strip() and row is None)  # the last one has no end: it was half written in a crash
    return rows, bad, skipped


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line of a log; None where it is none: no object of JSON, or without a number of images."""
    row = json_line(line) if len(line) <= LINE else None
    seen = None if row is None else row.get("images")
    whole = isinstance(seen, int | float) and not isinstance(seen, bool) and 0 <= seen <= MOST
    return row if whole else None


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a line to a file of JSON lines.

    Raises:
        UserError: the system refused.
    """
    try:
        with open(path, "a") as file:  # one write, so that lines of two processes do not mix
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise cannot("write", path, error) from error


PROTOCOL = {"extractor": str, "mark": str, "count": int, "split": str, "seed": int, "repeats": int, "labels": str}
PROTOCOL |= {"data": str, "fingerprint": str, "form": str, "version": int}
VALUES = ("value", "spread", "floor", "floor_spread")


def is_figure(row: dict[str, Any]) -> bool:
    """Is this line of metrics.jsonl a figure of an evaluation, each entry of its kind?"""
    protocol, entries = row.get("protocol"), {"metric": str, "title": str, "better": str, "share": bool, "note": str}
    if not isinstance(protocol, dict) or not set(row) <= {*entries, *VALUES, "protocol", "images"}:
        return False
    optional = {"form", "version", "note"}  # once there were none of these
    return (
        all(type(row.get(k)) is kind for k, kind in entries.items() if k in row or k not in optional)
        and all(type(row.get(k)) in (int, float, type(None)) and abs(row.get(k) or 0) < 1e100 for k in VALUES)
        and set(protocol) <= set(PROTOCOL)
        and all(type(protocol.get(k)) is kind for k, kind in PROTOCOL.items() if k in protocol or k not in optional)
    )


def stamp(images: int, alone: bool) -> str:
    """How a sheet or a model is named after a moment: `alone` in its thousand of images by thousands, else by images.

    Nine digits are images and fewer are thousands: names stay apart, and older versions of Ganvas can read them.
    """
    return f"{images // 1000:06d}" if alone else f"{images:09d}"


def moment(path: Path) -> int | None:
    """The images seen when a sheet or a model was made that `stamp` named; None: it is none of these."""
    named = re.fullmatch(r"(?:fakes|model)_(\d{1,15})", path.stem, re.ASCII)
    if named is None:
        return None
    return int(named[1]) * (1 if len(named[1]) >= 9 else 1000)
