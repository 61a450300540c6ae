"""`ganvas evaluate` of a database: reads the real one, draws others, measures, and keeps what was found."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganvas.core import config as cf
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing, last
from ganvas.core.run import Run
from ganvas.core.text import one_line
from ganvas.metrics.figures import NO_EXTRACTOR, Figure, Protocol
from ganvas.report import page
from ganvas.tables import databases
from ganvas.tables.data import DataConfig
from ganvas.tasks.table.evaluate import evaluate as of_one
from ganvas.tasks.table.evaluate import experts
from ganvas.tasks.table.evaluate.metrics import choose
from ganvas.tasks.table.evaluate.sides import Found
from ganvas.tasks.table.evaluate.values import Coder
from ganvas.tasks.table.several.evaluate import details
from ganvas.tasks.table.several.evaluate.checks import Checks, check
from ganvas.tasks.table.several.evaluate.measure import Measuring
from ganvas.tasks.table.several.evaluate.metrics import METRICS
from ganvas.tasks.table.several.evaluate.sides import Base, Known, reading
from ganvas.tasks.table.several.whole import Database, load
from ganvas.training.evaluate import Options

SPLIT = "halves of the real parents"


@dataclass(frozen=True)
class Measured:
    """All that an evaluation found, at its end; tops: rows that were drawn of the tables that no key leads from."""

    measuring: Measuring
    found: dict[str, Found]
    tops: int
    data: str


def evaluate(path: str | os.PathLike[str], options: Options) -> Iterator[Doing | Figure | Measured]:
    """Measure the models of a database together; yields what is done, each figure, and at the end everything.

    The figures go to metrics.jsonl of the training's folder, to evaluation/database.json and report.html there.

    Raises:
        UserError: an unknown metric or option, scikit-learn is not installed, or the database is gone or another one.
    """
    began = time.monotonic()
    names = choose(options.metrics, METRICS, "metric of several tables")
    of_one.check(options)
    if options.data is not None and not databases.is_address(options.data):
        raise UserError(f"--data {options.data} is not a database address, such as sqlite:///shop.db.")
    version = experts.needed()
    ends = began + options.time_limit if options.time_limit is not None else math.inf
    yield Doing("reading", 0.0)
    database = load(path)
    config = _config(database)
    tops, count = _size(database, options.count)
    known = _known(database)
    source = options.data or config.source
    checks = check(source, database.plan)
    if options.data is None:
        _unchanged(database, checks, source)
    real = yield from _read(source, database, known, checks, config, "reading the real database", 0.02)
    measuring = Measuring(real, checks, names, options.seed, lambda: time.monotonic() > ends)
    for r in range(options.repeats):
        if r and measuring.late():
            break
        for event in _twin(database, measuring, known, config, count, options.seed, r):
            start, whole = 0.1 + 0.9 * r / options.repeats, 0.9 / options.repeats
            yield Doing(event.text, start + whole * event.share)
    found = measuring.found()
    data, mark = databases.url_of(source).database or "database", _fingerprint(real)
    figures = []
    run, images = Run(database.path), min(int(model.card["images"]) for model in database.tables.values())
    for name, one in found.items():
        learns = ("scikit-learn", version) if METRICS[name].learns else (NO_EXTRACTOR, "-")
        protocol = Protocol(
            *learns, count=tops, split=SPLIT, seed=options.seed, repeats=max(1, len(one.values)), labels="none",
            data=Path(data).name, fingerprint=mark, form=METRICS[name].form,
        )  # fmt: skip
        figures.append(_figure(name, one, protocol, images))
        run.append(figures[-1].row(), run.metrics)
        yield figures[-1]
    details.write(run, measuring, tops)
    page.write(run)
    yield Measured(measuring, found, tops, Path(data).name)


def in_place(
    database: Database, source: str, others: Sequence[str], names: Sequence[str] = tuple(METRICS), seed: int = 0
) -> Measuring:
    """Measure other databases with the same tables in place of drawn ones: what one from the same place gets.

    Args:
        source, others: addresses of the real database, and of those that stand for drawn ones.
        names: of METRICS.

    Raises:
        UserError: one cannot be read.
    """
    known = _known(database)

    def read(address: str) -> tuple[Base, Checks]:
        checks = check(address, database.plan)
        return last(_read(address, database, known, checks, _config(database), "reading", 0.0)), checks

    real, counted = read(source)
    measuring = Measuring(real, counted, list(names), seed, lambda: False)
    for repeat, address in enumerate(others):
        base, checks = read(address)
        for _ in measuring.add(base, checks, repeat, scaled=False):
            pass
    return measuring


def _known(database: Database) -> dict[str, Known]:
    return {name: Known(model.spec, Coder.of(model.spec)) for name, model in database.tables.items()}


def _config(database: Database) -> DataConfig:
    """The settings of the data that a training had."""
    run = Run(database.path)
    values = run.settings().get("data")
    if not isinstance(values, dict):
        raise UserError(f"{run.experiment} names no data. Name it with --data.")
    return cf.from_dict(DataConfig, values, "data")


def _size(database: Database, count: int) -> tuple[int, int | None]:
    """Rows that are drawn of the tables that no key leads from, at most `count`; and what `drawn` is given."""
    plan = database.plan
    tops = sum(plan.schema[t.name].rows for t in plan.learned if t.first is None)
    return (tops, None) if count >= tops else (count, count)


def _unchanged(database: Database, checks: Checks, source: str) -> None:
    """Raise a UserError where tables have other numbers of rows than when they were trained on."""
    for table in database.plan.schema.tables:
        if checks.rows[table.name] != table.rows:
            raise UserError(
                f"The table {one_line(table.name)} of {databases.shown(source)} has {checks.rows[table.name]:,} rows "
                f"now, and {table.rows:,} when {database.path} was trained on it. Name the right database with --data."
            )


def _read(
    source: str, database: Database, known: dict[str, Known], checks: Checks, config: DataConfig, text: str,
    share: float,
) -> Generator[Doing, None, Base]:  # fmt: skip
    """Read a database; yields what is done, returns the tables."""
    base: Base | None = None
    for event in reading(source, database.plan, known, checks.rows, config.missing, text, share):
        if isinstance(event, Doing):
            yield event
        else:
            base = event
    assert base is not None
    return base


def _twin(
    database: Database, measuring: Measuring, known: dict[str, Known], config: DataConfig, count: int | None, seed: int,
    repeat: int,
) -> Iterator[Doing]:  # fmt: skip
    """Draw a database, as `ganvas sample` does, and measure it."""
    what = f"twin {repeat + 1}"
    yield Doing(f"drawing {what}", 0.0)
    with tempfile.TemporaryDirectory(prefix="ganvas-") as folder:
        out = f"sqlite:///{folder}/twin.db"
        with database.drawn(count, seed + repeat) as drawn:
            yield Doing(f"drawing {what}", 0.2)
            for _ in database.write(drawn, out):
                pass
        checks = check(out, database.plan)
        base = yield from _read(out, database, known, checks, config, f"reading {what}", 0.3)
    for event in measuring.add(base, checks, repeat, count is not None):
        yield Doing(event.text, 0.4 + 0.6 * event.share)


def _fingerprint(real: Base) -> str:
    """SHA-256 of the real rows that are looked at."""
    digest = hashlib.sha256()
    for name, rows in sorted(real.tables.items()):
        digest.update(f"{name} {len(rows)} ".encode())
        digest.update(rows.values.numbers.tobytes())
    return digest.hexdigest()


def _figure(name: str, found: Found, protocol: Protocol, images: int) -> Figure:
    metric = METRICS[name]
    numbers = found.value, found.spread, found.floor, found.floor_spread
    return Figure(name, metric.title, *numbers, metric.better, metric.share, protocol, images, found.note)
