"""What drawing from noise needs of pictures: `ganvas data check --for generate`."""

from __future__ import annotations

from ganvas.images.data.uses import Amount, Use
from ganvas.sources.findings import Finding

LEAST, GOOD = 100, 1_000  # pictures below which a training memorises them, and from which it is at ease
FEW = 2_000  # pictures up to which the recipe `few` is recommended


def recommended(amount: Amount) -> str:
    """The name of the recipe that fits these pictures."""
    if (amount.size, amount.channels) == (28, 1) and amount.classes:
        return "mnist"
    return "few" if amount.count <= FEW else "images"


def judge(amount: Amount) -> tuple[bool, list[Finding]]:
    """Whether there are enough pictures, and what is to be said of that."""
    if amount.count >= LEAST:
        return True, []
    are = "is" if amount.count == 1 else "are"
    text = f"{amount.count:,} picture{'s' if amount.count != 1 else ''} {are} too few: the network would memorise them."
    return False, [Finding(0, text, f"Use at least {LEAST}, ideally {GOOD:,}.")]


USE = Use("drawing new pictures like these", recommended, judge)
