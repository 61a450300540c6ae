"""What restoring needs of pictures: `ganvas data check --for restore`."""

from __future__ import annotations

from ganvas.images.data import photos
from ganvas.images.data.uses import Amount, Use
from ganvas.sources.findings import Finding
from ganvas.tasks.restore import signs

PIECES = 1_000  # without overlap, below which there is little to learn from; 17 of 2 megapixels have 6,700
LEAST = 5  # pictures, of which one is held out
PIECE = photos.USUAL


def judge(amount: Amount) -> tuple[bool, list[Finding]]:
    """Whether there is enough to cut pieces from, and what is to be said of that."""
    side = min(PIECE, amount.size)
    pieces, rows = amount.pieces(side), []
    what = f"{amount.count:,} picture{'s' if amount.count != 1 else ''} with {pieces:,} pieces of {side} pixels"
    enough = amount.count >= LEAST and pieces >= PIECES
    if enough:
        rows.append(Finding(2, f"{what}: enough to train a restorer, for pictures of any size."))
    else:
        text = f"{what}: too few to train a restorer."
        rows.append(
            Finding(0, text, f"Use {LEAST} or more, with {PIECES:,} pieces: a dozen photographs of 1 megapixel.")
        )
    small = sum(min(size) < side for size in amount.sizes)
    if small:
        text = f"{small:,} picture{'s are' if small != 1 else ' is'} smaller than a piece of {side} pixels: left out."
        rows.append(Finding(1, text, "Add larger ones, or use a smaller size=N."))
    large = sum(max(size) > photos.LONGEST for size in amount.sizes)
    if large:
        text = (
            f"{large:,} picture{'s are' if large != 1 else ' is'} longer than {photos.LONGEST:,} pixels: scaled down."
        )
        rows.append(Finding(2, text))
    if enough and amount.count < signs.ENOUGH:
        text = (
            f"With fewer than {signs.ENOUGH} pictures the model will not warn of a damage that it was not trained on."
        )
        rows.append(Finding(2, text))
    rows.append(Finding(2, "They count as undamaged: noise or JPEG blocks in them are learned as clean."))
    return enough, rows


USE = Use(
    "restoring pictures",
    lambda amount: "denoise",
    judge,
    others=("superres", "derain", "inpaint"),
    piece=PIECE,
    classes=False,
    mirror=False,
)
