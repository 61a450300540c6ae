"""What turning one kind of pictures into another needs of those of a kind: `ganvas data check --for translate`."""

from __future__ import annotations

from ganvas.images.data.uses import Amount, Use
from ganvas.sources.findings import Finding

LEAST, GOOD = 100, 1_000  # pictures of a kind below which a training memorises them, and from which it is at ease


def judge(amount: Amount) -> tuple[bool, list[Finding]]:
    """Whether there are enough pictures of this kind, and what is to be said of that and of the other kind."""
    rows = []
    enough = amount.count >= LEAST
    if not enough:
        text = f"{amount.count:,} picture{'s' if amount.count != 1 else ''} of a kind are too few: they are memorised."
        rows.append(Finding(0, text, f"Use at least {LEAST} of each kind, ideally {GOOD:,}."))
    if amount.classes:
        text = f"The {amount.classes:,} classes are ignored: all pictures here are one kind."
        rows.append(
            Finding(1, text, "To turn one class into another name their two sub-folders, with --data and --to.")
        )
    rows.append(Finding(2, "This is one of two kinds; check the folder of the other one, too."))
    return enough, rows


USE = Use(
    "turning one kind of pictures into another",
    lambda amount: "translate",
    judge,
    more=("--to", "OTHER-KIND"),
    classes=False,
)
