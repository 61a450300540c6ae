"""Where this task's commands write pictures."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.errors import UserError
from ganvas.core.files import check_free, free


def png_at(out: Path | None, usual: str, force: bool) -> Path:
    """The path for a PNG: --out, or else the usual name with the first free number.

    Raises:
        UserError: --out is not a PNG, or exists already.
    """
    if out is None:
        return free(Path(usual))
    if out.suffix.lower() not in ("", ".png"):
        raise UserError(f"{out}: this is written as a PNG. Choose --out NAME.png.")
    check_free(out, force=force)
    return out
