"""Which rows of a table are unlike the training data, in which column it shows, and what was expected there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables import read, write
from ganvas.tables.adapt import adapted
from ganvas.tables.cells import Cells
from ganvas.tables.columns import Column
from ganvas.tables.rules.completing import Partial
from ganvas.tables.rules.order import Order
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.broken import named
from ganvas.tasks.table.looked import EMPTY, NONE, OUTSIDE, UNKNOWN, UNREAD, UNSEEN, Looked, look
from ganvas.tasks.table.usual import LEAST, Usual, scores_of

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel
    from ganvas.tasks.table.network import Generator

COLUMNS = ("odd", "p", "column", "found", "expected", "why")
HALF = 0.5


def usual_of(model: TableModel) -> Usual:
    """What is usual, from the model's card.

    Raises:
        UserError: the model has none, and why.
    """
    entries = model.card.get("usual")
    if not entries:
        reason = model.card.get("no_detector")
        if not isinstance(reason, str) or not reason:
            ended = bool(model.card.get("finished"))
            reason = (
                "it was trained by an older version" if ended else "this is learned when a training ends: ganvas resume"
            )
        raise UserError(f"{model.path} does not know how odd rows usually are: {one_line(reason[:300])}")
    try:
        return Usual.from_dict(entries, [column.name for column in model.spec.learned])
    except UserError as error:
        raise UserError(f"{model.path} is damaged: {error}") from error


def check_alarm(alarm: float, usual: Usual) -> None:
    """Raise a UserError if this share of false alarms cannot be kept."""
    least = 2 / (usual.largest.count + 1)
    if not least <= alarm < 1:
        raise UserError(
            f"--alarm {alarm:g}: a share of rows from {least:.2g} to 1; smaller ones cannot be promised, as "
            f"{usual.largest.count:,} held-out rows say what is usual."
        )


def most_probable(generator: Generator, spec: TableSpec, rows: Tensor, column: Column) -> Tensor:
    """The rows with a column's tokens as they are to be expected given all others: the mode of a category, the median
    of a number (or no value, where that is more probable than any).

    Args:
        rows: int64 [N, tokens].
    """
    rows, place = rows.clone(), spec.places[column.name].start
    device = next(generator.parameters()).device
    for part in column.parts:
        for level in range(len(part.sizes)):
            with torch.inference_mode():
                logits = generator.logits_given_rest(rows.to(device))[place + level].float().cpu()
            rows[:, place + level] = _middle(part, level, logits.softmax(1))
        place += len(part.sizes)
    return rows


def _middle(part: Cells, level: int, shares: Tensor) -> Tensor:
    """Of a token's probabilities [N, size]: the most probable value, or of numbers the one in the middle."""
    if level:
        return shares.argmax(1) if part.is_category else _median(shares)
    first = len(part.starts) - 1
    if not first:
        return shares.argmax(1)
    if part.is_category:
        rare = first + part.specials.index("rare")
        shares = shares.clone()
        shares[:, rare] = 0.0
        return shares.argmax(1)
    missing = shares[:, first:].sum(1) > HALF
    return torch.where(missing, torch.full_like(missing, first, dtype=torch.int64), _median(shares[:, :first]))


def _median(shares: Tensor) -> Tensor:
    sums = shares.cumsum(1)
    return (sums < HALF * sums[:, -1:]).sum(1).clamp_max(shares.shape[1] - 1)


def texts(series: pd.Series, column: Column) -> list[str]:
    """A column's values as they are written in a CSV file, without quotes. '': none."""
    return unquoted(write.texts_of(series, column).to_pylist())


def unquoted(cells: Iterable[str | None]) -> list[str]:
    """CSV cells as they are meant; '' for None."""
    return ["" if c is None else c[1:-1].replace('""', '"') if c[:1] == '"' else c for c in cells]


class Detector:
    """Judges rows of tables, a portion at a time."""

    def __init__(self, model: TableModel, alarm: float = 0.05) -> None:
        """
        Raises:
            UserError: the model does not know what is usual, or not well enough for this alarm.
        """
        self.model, self.spec, self.alarm = model, model.spec, alarm
        self.usual = usual_of(model)
        check_alarm(alarm, self.usual)
        self.columns: list[Column] = []  # in the forms of the first rows

    def verdicts(self, raw: pd.DataFrame) -> pd.DataFrame:
        """The verdicts on rows, with their index: see `TableModel.detect`; and `rank`, by which rows are ordered."""
        import pandas as pd

        if not self.columns and len(raw):  # a source may begin with a portion of no rows
            self.columns = adapted(self.spec.read, raw)
        looked = look(self.spec, raw, self.columns)
        rows = self._whole(looked)
        scores = scores_of(self.model.generator, self.spec, rows)
        learned = self.usual.oddities(scores)
        oddities = looked.least.copy()
        oddities[:, self._places()] = np.maximum(oddities[:, self._places()], learned)
        oddities, which = named(self.spec, oddities, looked.broken)
        judged = self.usual.judge(oddities, scores)
        odd = judged.verdicts(self.alarm)
        cell = oddities.argmax(1)
        out = pd.DataFrame(
            {"odd": odd, "p": judged.p, "column": "", "found": "", "expected": "", "why": ""}, index=raw.index
        )
        out["rank"] = judged.rank
        for i in range(len(self.spec.read)):
            here = np.flatnonzero((odd != "no") & (cell == i))
            if len(here):
                self._name(out, looked, rows, here, i, which[here, i])
        alone = looked.wrong[np.arange(len(cell)), cell] == NONE
        whole = (odd != "no") & (judged.cell > judged.whole) & alone & (which[np.arange(len(cell)), cell] < 0)
        out.loc[whole, "why"] = "its values do not fit together, this one least"
        return out

    def _places(self) -> list[int]:
        """Where the learned columns are among those that are read."""
        names = [column.name for column in self.spec.read]
        return [names.index(column.name) for column in self.spec.learned]

    def _whole(self, looked: Looked) -> Tensor:
        """The rows with what is to be expected in cells that have no value that the networks know: these would make the
        others look odd."""
        rows = looked.tokens.long()
        names = [column.name for column in self.spec.read]
        sources = {rule.target: rule.other for rule in self.spec.rules if isinstance(rule, Order) and rule.form}
        for column in self.spec.learned:
            mine = [names.index(n) for n in (column.name, sources.get(column.name, column.name))]
            here = torch.from_numpy(np.flatnonzero(np.isin(looked.wrong[:, mine], UNKNOWN).any(1)))
            if len(here):
                rows[here] = most_probable(self.model.generator, self.spec, rows[here], column)
        return rows

    def _name(
        self, out: pd.DataFrame, looked: Looked, rows: Tensor, here: np.ndarray, i: int, which: np.ndarray
    ) -> None:
        """Say of some rows that a column is odd, what it holds and what was expected.

        Args:
            which: the rule that each of them breaks, or -1.
        """
        at, column = {name: out.columns.get_loc(name) for name in COLUMNS}, self.spec.read[i]
        raw = looked.raw[column.name].iloc[here]
        found = ["" if gone else str(value) for value, gone in zip(raw, raw.isna(), strict=True)]
        kinds = looked.wrong[here, i]
        out.iloc[here, at["column"]] = column.name
        out.iloc[here, at["found"]] = found
        follows = (which >= 0) | np.isin(kinds, UNKNOWN)
        for mine, by_rules in ((here[follows], True), (here[~follows], False)):
            if len(mine):
                out.iloc[mine, at["expected"]] = self._expected(looked, rows, mine, column, by_rules)
        words = {number: self.spec.rules[number].words() for number in np.unique(which[which >= 0])}
        why = [words[r] if r >= 0 else self._why(column, k) for r, k in zip(which, kinds.tolist(), strict=True)]
        out.iloc[here, at["why"]] = why

    def _expected(self, looked: Looked, rows: Tensor, here: np.ndarray, column: Column, by_rules: bool) -> list[str]:
        """What a column of some rows should hold: what its rules make of the other cells, or what is most probable.

        Args:
            by_rules: else what rules compute from the column is as unknown as the column itself.
        """
        spec = self.spec
        names = [c.name for c in spec.read]
        left = {column.name}
        for rule in spec.rules if not by_rules else ():
            if left & {*rule.needs} and not isinstance(rule, Order):
                left |= {*rule.targets}
        frame = {name: looked.typed[name].iloc[here] for name in names}
        known = {name: ~np.isin(looked.wrong[here, i], UNKNOWN) & (name not in left) for i, name in enumerate(names)}
        partial, tokens = Partial(spec, frame, known), rows[torch.from_numpy(here)]
        for learned in spec.learned:
            if learned.name in left:
                tokens = most_probable(self.model.generator, spec, tokens, learned)
        full = partial.complete(tokens, torch.full(tokens.shape, HALF))
        return texts(full.frame[column.name], spec.column(column.name))

    def _why(self, column: Column, kind: int) -> str:
        part = column.parts[0]
        if kind == UNREAD:
            return {"date": "no date", "number": "no number"}.get(column.kind, "no such value")
        if kind == EMPTY:
            return "empty, as no training row was"
        if kind == UNSEEN:
            return "a value that few or no training rows had" if part.rare else "a value that was never seen"
        if kind == OUTSIDE:
            ends = np.zeros((2, len(column.sizes)), np.uint8)
            ends[:, : len(part.sizes)] = part.tokens(np.array([0, len(part.counts) - 1]))
            return (
                f"outside the usual range, {' to '.join(texts(column.decode(ends, np.full(ends.shape, HALF)), column))}"
            )
        return "improbable given the row's other values"


def detect(model: TableModel, frame: pd.DataFrame, alarm: float = 0.05) -> pd.DataFrame:
    """The verdicts on the rows of a DataFrame; see `TableModel.detect`."""
    import pandas as pd

    detector, missing = Detector(model, alarm), missing_of(model)
    parts = [detector.verdicts(raw) for raw in read.Rows(read.Frame(frame), missing).portions()]
    if not parts:
        raise UserError("The DataFrame has no rows.")
    out: Any = pd.concat(parts)[list(COLUMNS)]
    return out.set_axis(frame.index, axis=0)


def missing_of(model: TableModel) -> str:
    """The texts that the training took for missing cells."""
    words = model.card["data"].get("missing")
    return words if isinstance(words, str) else read.MISSING


def report_on(model: TableModel, portions: Iterable[pd.DataFrame] | None) -> dict[str, Any]:
    """How good the detector is: on these rows, or as measured on held-out rows when the training ended.

    Raises:
        UserError: the model does not know what is usual, or there are too few rows.
    """
    from ganvas.tasks.table import detector_report
    from ganvas.tasks.table import usual as us

    usual = usual_of(model)
    if portions is None:
        found = model.card["usual"].get("report")
        if not _is_report(found):
            raise UserError(
                f"{model.path} is damaged: its card has no report on its detector. Name a file with other rows."
            )
        return found
    tokens: list[Tensor] = []
    for raw in portions:
        tokens.append(look(model.spec, raw).tokens)
        if sum(map(len, tokens)) >= us.MOST:
            break
    rows = torch.cat(tokens)[: us.MOST] if tokens else torch.zeros(0, 0)
    if len(rows) < LEAST:
        raise UserError(f"{len(rows)} rows are too few for a report: at least {LEAST} are needed.")
    return detector_report.report(model.generator, model.spec, usual, rows)


def _is_report(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("columns"), dict):
        return False
    figures = [found.get(k) for k in ("rows", "alarm", "false_alarm")]
    for entry in found["columns"].values():
        if entry is not None:
            if not isinstance(entry, dict):
                return False
            figures += [entry.get(k) for k in ("auroc", "called", "named", "rows")]
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in figures)


def oddest(parts: Iterator[pd.DataFrame], count: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """The oddest rows of all portions of verdicts, and how many rows got each verdict."""
    import pandas as pd

    best: pd.DataFrame | None = None
    counts = {"yes": 0, "not sure": 0, "no": 0}
    for part in parts:
        for verdict, number in part["odd"].value_counts().items():
            counts[str(verdict)] += int(number)
        some: Sequence[Any] = [part[part["odd"] != "no"], *([] if best is None else [best])]
        best = pd.concat(some).sort_values("rank", ascending=False, kind="stable").head(count)
    return (pd.DataFrame(columns=[*COLUMNS, "rank"]) if best is None else best), counts
