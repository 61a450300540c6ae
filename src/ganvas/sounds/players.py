"""Sounds that a notebook shows as players."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ganvas.core.shown import Shown, player
from ganvas.sounds import files

MOST = 32  # players that are shown at most


class Waves(Shown):
    """Waves float [n, samples] or [samples] that a notebook shows as players; see `Shown`."""

    rate: int  # samples a second
    captions: tuple[str, ...]  # what is said below each, or none

    @classmethod
    def of(cls, waves: Tensor, rate: int, captions: Sequence[str] = ()) -> Waves:
        """The same waves.

        Args:
            captions: of all of them, or none.
        """
        return cls.around(waves, rate=rate, captions=tuple(captions))

    def _repr_html_(self) -> str | None:
        """Players for a notebook; None where these are no longer waves."""
        if not hasattr(self, "rate") or self.dim() not in (1, 2) or not self.is_floating_point():
            return None
        waves = self.cpu().reshape(-1, self.shape[-1])
        pairs = zip(waves[:MOST], self.captions or ("",) * len(waves), strict=False)
        players = [player(files.encoded(wave.numpy(), self.rate), caption) for wave, caption in pairs]
        more = f"<p>and {len(waves) - MOST:,} more</p>" if len(waves) > MOST else ""
        return f'<div style="display: flex; flex-wrap: wrap; gap: 8px">{"".join(players)}</div>{more}'
