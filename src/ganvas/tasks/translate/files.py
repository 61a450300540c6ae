"""Translate picture files."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from ganvas.core.progress import Doing, Written
from ganvas.images import decode
from ganvas.images import files as image_files
from ganvas.images.apply import Applied, Failed, Result, each
from ganvas.images.originals import Original
from ganvas.tasks.translate import model as translate_model


def translate(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    to: str = "b",
    sheet: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Iterator[Doing | Applied | Failed | Written]:
    """Translate picture files into a folder, and yield progress and results; unreadable files are skipped.

    A model of whole pictures is given the middle square of each, in the size that it was trained on; a model that
    learned from pieces works on pictures of any size; depth, transparency and colour profile come back as they were.

    Args:
        model: a run's folder or a model file.
        images: files, or folders of them.
        out: the folder; files that are there are not overwritten.
        to: the wanted kind: 'a', 'b', or the name of its pictures.
        sheet: a PNG with each picture before and after.
        force: overwrite files in `out`, though never the pictures themselves.

    Raises:
        UserError: a model of another task, a kind that it does not know, or a file that would be overwritten.
    """
    translator = translate_model.load(model)
    kind = translator.kind(to)

    def translated(path: Path, original: Original) -> Generator[float, None, Result]:
        if translator.any_size:
            return Result(original, (yield from translator.translate_picture(original, kind)))
        fitted = (
            image_files.fit(path, translator.spec, decode.depth_of(translator.card.get("depth")))[0]
            .permute(1, 2, 0)
            .numpy()
        )
        square = Original(fitted[:, :, :3], fitted[:, :, 3] if fitted.shape[2] == 4 else None)
        return Result(square, (yield from translator.translate_picture(square, kind)))

    yield from each(images, out, translated, sheet=sheet, force=force)
