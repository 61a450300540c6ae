"""Every kind of file that Ganvas reads, damaged in many ways: refused with a sentence that names it, or read right.

make fuzz     # FUZZ=5000 of each kind; the tests take 30
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import zlib
from pathlib import Path

import pytest
from subjects import SUBJECTS

from ganvas.core.errors import UserError

TIMES = int(os.environ.get("FUZZ", "30"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))  # to see one case again: FUZZ_FIRST=1234 FUZZ=1
pytestmark = pytest.mark.long
GROWTH = 2_000_000  # kB that the process may grow by, whatever a file asks for


@pytest.mark.parametrize("name", SUBJECTS)
def test_damaged_files_are_refused_or_read_right(
    name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user's cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user's state"))
    subject, good, place = SUBJECTS[name], tmp_path / "good", tmp_path / "place"
    good.mkdir()
    files = subject.make(good, run)
    assert files
    shutil.copytree(good, place)
    before = subject.read(place)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong: list[str] = []
    for number in range(FIRST, FIRST + TIMES):
        draw = random.Random(zlib.crc32(f"{name} {number}".encode()))
        shutil.rmtree(place)
        shutil.copytree(good, place)
        path = place / draw.choice(files)
        if subject.in_place is not None:
            subject.in_place(path, draw)
        else:
            path.write_bytes(subject.damage(path.read_bytes(), draw))
        try:
            after = subject.read(place)
        except UserError as error:
            text = str(error)
            if not subject.refused:
                wrong.append(f"{number}, {path.name}: refused: {text}")
            elif not 10 < len(text) < 3_000 or str(place) not in text:
                wrong.append(f"{number}, {path.name}: a sentence that names no place: {text[:500]}")
        except Exception as error:
            wrong.append(f"{number}, {path.name}: {type(error).__name__}: {str(error)[:300]}")
        else:
            if not subject.right(before, after):
                wrong.append(f"{number}, {path.name}: read wrong without a word")
        if number % 20 == 19:
            shutil.rmtree(tmp_path / "user's cache", ignore_errors=True)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown < GROWTH, f"the process grew by {grown:,} kB"
    assert not wrong, f"{len(wrong)} of {TIMES}:\n" + "\n".join(wrong[:40])
