"""Where this task's commands write pictures."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.errors import UserError
from ganvas.core.files import check_free, free

FORMS = (".png", ".jpg", ".jpeg", ".webp")  # in which a single picture is written: `images.sheets.FORMS`


def picture_at(out: Path | None, usual: str, force: bool) -> Path:
    """The path for a picture: --out, or else the usual name with the first free number.

    Raises:
        UserError: --out is not of FORMS, or exists already.
    """
    if out is None:
        return free(Path(usual))
    if out.suffix.lower() not in ("", *FORMS):
        raise UserError(f"{out}: this is written as a picture. Choose --out NAME.png, .jpg or .webp.")
    check_free(out, force=force)
    return out
