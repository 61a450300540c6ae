"""Measures databases in place of drawn ones, by the code of `ganvas evaluate`: what another real database would get.

python benchmarks/databases.py RUN sqlite:///real.db sqlite:///other.db ...    # RUN: trained on all tables of real.db
"""

from __future__ import annotations

import argparse

from ganvas.core.text import one_line
from ganvas.tasks.table.several.evaluate import details, evaluate
from ganvas.tasks.table.several.evaluate.command import line
from ganvas.tasks.table.several.evaluate.metrics import METRICS
from ganvas.tasks.table.several.whole import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="the folder of the training")
    parser.add_argument("real", help="the address of the database that it was trained on")
    parser.add_argument("others", nargs="+", help="addresses of databases with the same tables")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    measuring = evaluate.in_place(load(arguments.run), arguments.real, arguments.others, seed=arguments.seed)
    for name, one in measuring.found().items():
        print(
            f"{METRICS[name].title}: {one.note or f'{one.value:.4f} +- {one.spread:.4f}; other half {one.floor:.4f}'}"
        )
    for parts, names in ((measuring.keys, details.OF_KEYS), (measuring.tables, details.OF_TABLES)):
        for part in parts.values():
            print(line(part, names))
    for what, count in details.wrong(measuring).items():
        print(f"{one_line(what)}: {count:,}")


if __name__ == "__main__":
    main()
