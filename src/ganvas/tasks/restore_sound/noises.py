"""The names and strengths of the noise that is added to clean sounds; nothing here imports torch.

It is written as text: `noise:0-20` is noise of any colour, 0 to 20 dB softer than the sound (its signal-to-noise ratio,
SNR). A name alone takes its usual range, and a list of them with `,` is added up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ganvas.core.errors import UserError, unknown

NAMES = ("noise", "white", "pink", "hum")
USUAL = 0.0, 20.0  # dB
RATIO = 0.0, 60.0  # dB: the limits of an SNR
NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)"


@dataclass(frozen=True)
class Step:
    """One kind of noise, by its name in NAMES; each sound's SNR is uniform in low..high dB."""

    name: str
    low: float
    high: float


def parse(text: str) -> tuple[Step, ...]:
    """Read a text such as `noise:0-20` or `white:10,hum:0-10`.

    Raises:
        UserError: an unknown name, an invalid range, or one beyond the limits.
    """
    return tuple(_step(part.strip(), text) for part in text.split(","))


def _step(part: str, text: str) -> Step:
    name, colon, amount = (piece.strip() for piece in part.partition(":"))
    if not part:
        raise UserError(
            f"degrade='{text}' has an empty part; name a noise, such as noise:0-20, of: {', '.join(NAMES)}."
        )
    if name not in NAMES:
        raise unknown("noise", name, NAMES)
    low, high = USUAL
    if colon:
        match = re.fullmatch(rf"{NUMBER}(?:\s*-\s*{NUMBER})?", amount)
        if match is None:
            raise UserError(f"degrade: '{part}' needs one SNR in dB after the colon, or two: {name}:10, {name}:0-20.")
        low, high = float(match[1]), float(match[2] or match[1])
    if low > high:
        raise UserError(f"degrade: '{part}' has a start above its end; write {name}:{high:g}-{low:g}.")
    if high > RATIO[1]:
        raise UserError(f"degrade: '{part}' is not within {RATIO[0]:g} and {RATIO[1]:g} dB.")
    return Step(name, low, high)
