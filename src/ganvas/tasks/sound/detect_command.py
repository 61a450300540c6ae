"""`ganvas detect` for sounds. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ganvas.core.asked import unused
from ganvas.core.console import Force, skipped, verb
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, make_folder, write_whole
from ganvas.core.terminal import Console, say, say_json
from ganvas.core.text import one_line

if TYPE_CHECKING:
    from ganvas.sounds.files import Fitted
    from ganvas.tasks.sound.detect import Verdict
    from ganvas.tasks.sound.detect_report import Report
    from ganvas.tasks.sound.model import SoundModel

Flag = Annotated[bool, Parameter(negative=())]
Found = list[tuple["Fitted", "Verdict"]]
COLUMNS: tuple[str, ...] = ("file", "verdict", "p", "class", "p_class", "like", "converted")
CALLED = {"no": "are unlike these sounds", "another class": "sound like a different class"}


@verb(
    "sound",
    instead={
        "--against": "name other recordings: ganvas detect MODEL FILES...",
        "--data": "leave it out: the report was made when the training ended",
        "--table": "name the recordings: ganvas detect MODEL FILES...",
    },
)
def detect(
    model: Path,
    *recordings: Path,
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    alarm: float = 0.05,
    show: int = 20,
    json: Flag = False,
    report: Flag = False,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Find recordings that are unlike the training sounds, and recordings with a wrong label.

    The class of a recording is the one that a table of labels next to it gives, as in training, or else the class
    that a folder around it is named after. Files that are not sounds are named and skipped; the exit code is then 1,
    and 2 if no file could be read.

    Parameters
    ----------
    model
        A run's folder or a model file.
    recordings
        Sound files, or folders and archives of them; they are converted to the model's rate and length.
    class_
        The class of all of them, whatever tables and folders say.
    alarm
        The share of usual sounds that may be called 'no', and of right labels that may be called wrong.
    show
        How many of the oddest recordings to print.
    json
        Print one line of JSON per recording, in the order of the files.
    report
        Print instead how good the detector is, as measured on held-out sounds when the training ended.
    out
        NAME.csv: the verdicts on all recordings. NAME.png: their spectrograms, the oddest first.
    force
        Overwrite existing files.
    """
    from ganvas.tasks.sound.model import load

    if report:
        unused("with --report", recordings=recordings, class_=class_, json=json, out=out)
    check_asked(show, out, force)
    loaded = load(model)
    if report:
        show_report(loaded)
        return 0
    if not recordings:
        raise UserError("Name one recording or more, or a folder: ganvas detect MODEL FILES... (or use --report).")
    loaded.detector_for(alarm)
    found, broken = verdicts_on(loaded, recordings, class_, alarm)
    if json:
        show_json(found)
    else:
        show_found(loaded, found, alarm, show)
    if out is not None:
        save(out, loaded, found)
    return skipped(broken, len(found))


def check_asked(show: int, out: Path | None, force: bool) -> None:
    """Raise a UserError where so many cannot be shown, or the verdicts cannot be written there."""
    if show < 0:
        raise UserError(f"--show {show}: at least 0 recordings can be shown.")
    if out is not None:
        if out.suffix.lower() not in (".csv", ".png"):
            raise UserError(f"{out}: choose --out NAME.csv for the verdicts, or NAME.png for the spectrograms.")
        check_free(out, force=force)


def verdicts_on(
    model: SoundModel, recordings: Sequence[Path], class_: str | None, alarm: float
) -> tuple[Found, list[str]]:
    """The verdict on each recording, and a sentence for each file without one; says what was skipped or guessed.

    Args:
        class_: that all of them have; None: tables and folders say it.
    """
    import numpy as np
    import torch

    from ganvas.sounds import files
    from ganvas.sources.given import Classes

    if class_ is not None:
        model.labels(class_, 1)  # an unknown class is reported before anything is read
    labelled = bool(model.class_names) and class_ is None
    fitted, broken, notes = files.recordings(recordings, model.spec.rate, model.spec.samples, labelled)
    for note in notes:
        say(one_line(note), error=True)
    classes = Classes(model.class_names)
    given = [classes.of(f.names) for f in fitted] if labelled else class_
    waves = torch.from_numpy(np.stack([f.wave for f in fitted]))
    return list(zip(fitted, model.detect(waves, given, alarm), strict=True)), broken


def entries(recording: Fitted, verdict: Verdict) -> dict[str, Any]:
    """A verdict for a CSV file or JSON."""
    p_class = None if verdict.p_class is None else round(verdict.p_class, 6)
    values = (str(recording.path), verdict.kind, round(verdict.p, 6), verdict.given, p_class, verdict.like)
    return dict(zip(COLUMNS, (*values, recording.changes), strict=True))


def oddest(found: Found) -> Found:
    """Those that are called first, the oddest first; of several as odd, the first file."""

    def key(entry: tuple[Fitted, Verdict]) -> tuple[bool, float, float]:
        verdict = entry[1]
        p = verdict.p if verdict.p_class is None or verdict.kind == "no" else min(verdict.p, verdict.p_class)
        return verdict.kind == "yes", p, verdict.p

    return sorted(found, key=key)


def save(path: Path, model: SoundModel, found: Found) -> None:
    """Write the verdicts as CSV, or the spectrograms on a sheet, the oddest first, and say where."""
    import csv
    import io

    make_folder(path.parent)
    ordered = oddest(found)
    if path.suffix.lower() == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries(*one) for one in ordered)
        write_whole(path, text.getvalue())
        say(f"The verdicts on all recordings: {path}", error=True)
        return
    import torch

    from ganvas.sounds import sheets

    waves = torch.stack([torch.from_numpy(recording.wave) for recording, _ in ordered])
    pictures = torch.cat([model.spec.codec.encode(part) for part in waves.split(256)])
    write_whole(path, sheets.png(pictures, max(sheets.COLUMNS, round(len(ordered) ** 0.5))))
    say(f"Oddest first: {path}", error=True)


def show_json(found: Found) -> None:
    """Print a JSON object for each verdict, without what is empty."""
    for recording, verdict in found:
        say_json({key: value for key, value in entries(recording, verdict).items() if value not in ("", None)})


def show_found(model: SoundModel, found: Found, alarm: float, show: int) -> None:
    """Print how many are called what, and the oddest."""
    from collections import Counter

    from rich.table import Table
    from rich.text import Text

    from ganvas.tasks.sound.detect import compared

    counts, labelled = Counter(v.kind for _, v in found), sum(bool(v.given) for _, v in found)
    many = f"{len(found):,} recording{'s' * (len(found) != 1)}"
    words = [f"{counts['no']:,} {CALLED['no']}"]
    words += [f"{counts['another class']:,} {CALLED['another class']}"] * bool(labelled)
    say(f"{many}: {', '.join(words)}. At most {alarm:.1%} of sounds that are in order are called either.")
    if model.class_names and labelled < len(found):
        which = f"{len(found) - labelled:,} of these have no label to check" if labelled else "No label is checked"
        say(f"{which}: no table of labels and no folder's name says of which of the model's classes they are.")
    if found and show:
        table = Table(box=None, pad_edge=False)
        for head in ("recording", "as odd as this", "verdict", "class", "sounds like", "converted"):
            table.add_column(head, justify="right" if head.startswith("as odd") else "left", overflow="fold")
        for recording, verdict in oddest(found)[:show]:
            p = verdict.p_class if verdict.kind == "another class" and verdict.p_class is not None else verdict.p
            like = "" if verdict.kind == "no" else verdict.like
            cells = (Text(one_line(text)) for text in (verdict.given, like))
            path = Text(one_line(str(recording.path)))
            table.add_row(
                path, f"1 of {round(1 / p):,}" if p <= 0.5 else "usual", verdict.kind, *cells, recording.changes
            )
        say()
        Console().print(table)
        if show < len(found):
            say(f"({len(found) - show:,} more: --show {len(found)}, or --out NAME.csv for all)")
    assert model.detector is not None
    say(f"\n{compared(model.detector.count)}")


def show_report(model: SoundModel) -> None:
    """Print how good the detector is, from the card.

    Raises:
        UserError: the model has none.
    """
    from rich.table import Table
    from rich.text import Text

    found: Report | None = model.detector_report()
    if model.detector is None or found is None:
        raise UserError(f"{model.path} has no detector: {model.no_detector}.")
    say(
        f"{model.path}: {found.real:,} held-out sounds. Asked for {found.alarm:.1%} false alarms, it calls "
        f"{found.false_alarm:.1%} of them 'no' (each half judged by what is usual in the other half).\n"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("real sounds against", "AUROC", "let pass", "sounds"):
        table.add_column(head, justify="left" if head.startswith("real") else "right")
    for row in found.rows:
        table.add_row(Text(row.name), f"{row.auroc:.3f}", f"{row.passed:.1%}", f"{row.count:,}")
    Console().print(table)
    if found.labels is not None:
        said = found.labels
        say(
            f"\nWrong labels: of {said.count:,} sounds with a wrong class {said.found:.1%} are found, {said.named:.1%} "
            f"of these with the right class named; {said.false_alarm:.1%} of right ones are called wrong (AUROC "
            f"{said.auroc:.3f})."
        )
    say("\nAUROC: how often such a sound is odder than a real one (0.5: cannot tell).")
