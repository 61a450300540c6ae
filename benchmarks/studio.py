"""What the studio costs and bears: `python benchmarks/studio.py [first|viewer|load]`; without a word all three.

- first: the first page in a fresh browser: when it can be used, and what was transferred.
- viewer: images a second of a training with one viewer of its live events, against alone: windows in turn (ABBA).
- load: 50 viewers of a live run and 20 samplers at once for 60 seconds, during a training.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GANVAS = [sys.executable, "-m", "ganvas"]


@contextlib.contextmanager
def studio(folder: str) -> Iterator[tuple[str, int]]:
    """Its address, and the number of its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*GANVAS, "studio", "--port", str(port)], cwd=folder, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def first(folder: str) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with studio(folder) as (address, _), sync_playwright() as play:
        times, sizes = [], []
        for _ in range(5):
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            got: list[int] = []
            page.on("response", lambda r, got=got: got.append(len(r.body()) if r.status == 200 else 0))
            began = time.monotonic()
            page.goto(f"{address}/")
            page.wait_for_selector("#main[aria-busy=false] h1")
            times.append(time.monotonic() - began)
            page.wait_for_timeout(1500)
            sizes.append(sum(got))
            browser.close()
        print(
            f"first page: usable after {statistics.median(times):.2f} s (median of 5; "
            f"{min(times):.2f} to {max(times):.2f})"
        )
        print(f"transferred: {max(sizes) / 1000:.0f} kB")


def viewer(folder: str, pairs: int = 24, window: float = 6) -> None:
    """One training; the viewer comes and goes. Short windows in turn, since a machine's speed drifts."""
    words = ["train", "mnist", "images=50M", "tick_every=320", "sample_every=10M", "--run", "runs/00000-speed"]
    training = subprocess.Popen(
        [*GANVAS, *words], cwd=folder, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    log = Path(folder) / "runs/00000-speed/log.jsonl"

    def rate(address: str | None) -> float:
        """Images a second of a window; with an address someone watches the training there."""
        stop = threading.Event()
        if address is not None:
            threading.Thread(target=view, args=(address, "00000-speed", stop, []), daemon=True).start()
        time.sleep(0.5)  # what is in the log already is sent at once
        start = log.stat().st_size
        time.sleep(window)
        with open(log, "rb") as file:
            file.seek(start)
            rows = [json.loads(line) for line in file.read().split(b"\n")[:-1]]
        stop.set()
        time.sleep(0.5)
        return (rows[-1]["images"] - rows[0]["images"]) / (rows[-1]["seconds"] - rows[0]["seconds"])

    with studio(folder) as (address, _):
        time.sleep(15)  # the training warms up
        found: list[float] = []
        for i in range(pairs):
            order = (None, address) if i % 2 == 0 else (address, None)
            rates = {who: rate(who) for who in order}
            found.append(rates[address] / rates[None])
        training.kill()
        training.wait()
    low, _, high = statistics.quantiles(found, n=4)
    print(f"with one viewer: {statistics.median(found):.3f} of the speed alone (median of {pairs} pairs of windows")
    print(f"of {window:g} s; half of them {low:.3f} to {high:.3f}, all {min(found):.3f} to {max(found):.3f})")


def view(address: str | None, name: str, stop: threading.Event, seen: list[int]) -> None:
    """Follow a run's events as a browser does: from the last one on, where the connection breaks."""
    last = ""
    while not stop.is_set():
        try:
            asked = urllib.request.Request(
                f"{address}/api/runs/{name}/events", headers={"Last-Event-ID": last} if last else {}
            )
            with urllib.request.urlopen(asked, timeout=20) as answer:
                kind = ""
                for raw in answer:
                    line = raw.decode().rstrip("\n")
                    if line.startswith("id: "):
                        last = line[4:]
                    elif line.startswith("event: "):
                        kind = line[7:]
                    elif line.startswith("data: ") and kind == "row":
                        seen.append(json.loads(line[6:])["images"])
                    if stop.is_set():
                        return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.3)


def load(folder: str, seconds: float = 60, viewers: int = 50, samplers: int = 20) -> None:
    subprocess.run(
        [*GANVAS, "train", "mnist", "images=4k", "detect=0", "--run", "runs/00000-drawn"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    words = ["train", "mnist", "images=5M", "tick_every=640", "sample_every=20000", "--run", "runs/00001-live"]
    training = subprocess.Popen(
        [*GANVAS, *words], cwd=folder, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    counts: dict[Any, int] = {}
    stop, lock = threading.Event(), threading.Lock()
    with studio(folder) as (address, pid):
        seen: list[list[int]] = [[] for _ in range(viewers)]
        log = Path(folder) / "runs/00001-live/log.jsonl"
        while not log.exists():
            time.sleep(0.2)

        def draw() -> None:
            i = 0
            while not stop.is_set():
                i += 1
                body = json.dumps({"seeds": list(range(i, i + 16))}).encode()
                headers = {"X-Ganvas": "1", "Content-Type": "application/json"}
                asked = urllib.request.Request(f"{address}/api/runs/00000-drawn/sheet", body, headers)
                try:
                    with urllib.request.urlopen(asked, timeout=60) as answer:
                        code: Any = answer.status
                except urllib.error.HTTPError as error:
                    code = error.code
                    time.sleep(float(error.headers.get("retry-after", "0.1")))
                    error.close()
                except OSError as error:
                    code = type(error).__name__
                with lock:
                    counts[code] = counts.get(code, 0) + 1

        threads = [threading.Thread(target=view, args=(address, "00001-live", stop, s), daemon=True) for s in seen]
        threads += [threading.Thread(target=draw, daemon=True) for _ in range(samplers)]
        before = memory(pid)
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        alive = training.poll() is None
        training.terminate()
        training.wait()
        time.sleep(3)
        stop.set()
        after = memory(pid)
        rows = [json.loads(line)["images"] for line in log.read_text().splitlines()]
        whole = sum(s == rows for s in seen)
    print(f"{seconds:.0f} s, {viewers} viewers, {samplers} samplers: answers {dict(sorted(counts.items(), key=str))}")
    print(f"{whole} of {viewers} viewers saw all {len(rows)} lines, once and in order; training alive: {alive}")
    print(f"server's memory {before:.0f} MB before, {after:.0f} MB after")


def memory(pid: int) -> float:
    """Resident megabytes of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def main() -> None:
    wanted = sys.argv[1:] or ["first", "viewer", "load"]
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            {"first": first, "viewer": viewer, "load": load}[name](folder)


if __name__ == "__main__":
    main()
