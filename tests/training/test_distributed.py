"""Two processes that torchrun starts are one training: equal to one process, restarted after a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ganvas, quick, write_blobs, write_sounds
from PIL import Image
from torch.distributed.run import get_args_parser

from ganvas.cli.evaluate import evaluate
from ganvas.core import checkpoint, distributed, seeds
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.images import data
from ganvas.tasks.generate.commands import sample
from ganvas.training.batches import Batches
from ganvas.training.events import Logged, Warned
from ganvas.training.experiment import Experiment

pytestmark = pytest.mark.long

TIMES = {"seconds", "images_per_second"}
SETTINGS = {  # without layers that look at a whole batch, so that two halves are one batch
    "batch": "16",
    "images": "640",
    "tick_every": "80",
    "sample_every": "160",
    "dropout": "0",
    "r1": "1",
    "r2": "1",
    "penalty_share": "0.1",
    "augment": "0.5",
    "mirror": "true",
    "width": "16",
    "precision": "fp32",
    "detect": "400",
    "ema": "100",
    "save_seconds": "0.05",
}
RESTORER = ["train", "denoise", "--data", "photos", "images=80", "batch=8", "width=8", "depth=2", "size=32"]
RESTORER += ["lively=0.3", "tick_every=8", "sample_every=0", "precision=fp32", "device=cpu"]
RESTORER += ["degrade=blur:0-2+noise:5-40", "even=0.01"]  # whose weights are means over the whole batch
TABLE = ["train", "table", "--data", "rows.csv", "images=1280", "batch=64", "width=16", "d_width=16", "dropout=0"]
TABLE += ["tick_every=320", "sample_every=0", "warmup=0.5", "precision=fp32", "device=cpu"]
LESSON = ["train", "photos", "--data", "photos", "images=64", "batch=8", "width=16", "judges=16", "pixels=8", "size=16"]
LESSON += ["backbone=8", "teach=4", "detect=0", "tick_every=16", "sample_every=0", "precision=fp32", "device=cpu"]
SOUND = ["train", "sound", "--data", "sounds", "images=48", "batch=8", "width=16", "d_width=16", "features=16"]
SOUND += ["detect=0", "tick_every=16", "sample_every=24", "precision=fp32", "device=cpu"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}
FORKING = """
import json, logging, os, runpy, signal, sys
import torch
from torch.distributed import run
from ganvas import cli
from ganvas.tasks.generate import commands, task
plain = run.config_from_args

def rank(*words):
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        signal.signal(number, handler)  # the launcher has others
    sys.argv = [*words]
    sys.path.insert(0, "")
    try:
        if words[0] == "-m":
            del sys.argv[:1]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise

def by_forks(arguments):
    config, _, words = plain(arguments)
    config.start_method = "fork"
    return config, rank, words[1:]  # without -u

run.config_from_args = by_forks
logging.disable()  # to form a message, torch imports its compiler
while told := sys.stdin.readline():
    folder, arguments = json.loads(told)
    child = os.fork()
    if not child:
        os.chdir(folder)
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        sys.argv = ["torchrun", *arguments]
        run.main()
        sys.exit()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def torchrun(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run two ranks until they end."""
    command = [*TORCHRUN, *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, timeout=900
    )


class Launcher:
    """A process that has imported all there is; each launch of torchrun is a fork of it, and so is each rank."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.told, self.answers = process.stdin, process.stdout

    def start(self, *arguments: str, cwd: Path) -> int:
        """Begin a launch in a folder, whose files `out` and `err` get what it says; the launcher's number."""
        self.told.write(json.dumps([str(cwd), [*TORCHRUN[3:], *arguments]]) + "\n")
        self.told.flush()
        return int(self.answers.readline())

    def wait(self) -> int:
        """The exit code of the launch that was begun."""
        return int(self.answers.readline())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(Run(folder).model)[0]


def log(folder: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in Run(folder).rows()]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("many"), 600, 400)


@pytest.fixture(scope="module")
def experiment(source: Path) -> Experiment:
    return quick("classic-mlp", source).override(SETTINGS)


class Torchrun:
    """As `Launcher`, by torchrun itself."""

    def start(self, *arguments: str, cwd: Path) -> int:
        with (cwd / "out").open("w") as out, (cwd / "err").open("w") as err:
            self.process = subprocess.Popen(
                [*TORCHRUN, *arguments], cwd=cwd, env={**os.environ, **ENVIRONMENT}, stdout=out, stderr=err
            )
        return self.process.pid

    def wait(self) -> int:
        return self.process.wait(900)


@pytest.fixture(scope="module", params=["forks", pytest.param("torchrun", marks=pytest.mark.slow)])
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher | Torchrun]:
    if request.param == "torchrun":
        yield Torchrun()
        return
    command = [sys.executable, "-c", FORKING]
    with subprocess.Popen(
        command, env={**os.environ, **ENVIRONMENT}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Launcher(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def two(several: tuple[Path, str]) -> tuple[Path, str]:
    """The folder of a run of two ranks, and what they printed."""
    return several[0] / "whole", several[1]


def test_two_ranks_are_one_process_with_the_whole_batch(
    two: tuple[Path, str], experiment: Experiment, tmp_path: Path
) -> None:
    rows = [e.row for e in experiment.run(tmp_path / "one") if isinstance(e, Logged)]
    assert len(rows) == len(log(two[0])) == 8
    for one, other in zip(rows, log(two[0]), strict=True):
        assert {k: other[k] for k in other} == pytest.approx({k: one[k] for k in other}, abs=1e-4)
    alone, together = weights(tmp_path / "one"), weights(two[0])
    assert alone.keys() == together.keys()
    assert any(name.startswith("detector.") for name in alone)
    for name, value in alone.items():
        if not name.startswith("detector."):
            assert torch.allclose(value.float(), together[name].float(), atol=1e-3), name


def table_rows() -> str:
    random = np.random.default_rng(0)
    return "age,plan,paid\n" + "".join(
        f"{age},{'gold' if age > 50 else 'free'},{age * 3 + extra}\n"
        for age, extra in zip(random.integers(18, 90, 600), random.integers(0, 50, 600), strict=True)
    )


def test_two_ranks_of_a_table_are_one_process(two: tuple[Path, str], tmp_path: Path) -> None:
    """In the contest too, whose weights of drawn rows are means over the whole batch."""
    (tmp_path / "rows.csv").write_text(table_rows())
    done = ganvas(*TABLE, "--run", "table", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    there = two[0].parent / "table"
    for one, other in zip(log(tmp_path / "table"), log(there), strict=True):
        for name in ("nll", "loss_d", "loss_g"):
            assert (name in one) == (name in other)
            assert one.get(name, 0.0) == pytest.approx(other.get(name, 0.0), abs=1e-3), name
    alone, together = weights(tmp_path / "table"), weights(there)
    assert alone.keys() == together.keys()
    for name, value in alone.items():
        assert torch.allclose(value, together[name], atol=1e-3), name


def test_only_the_first_rank_writes_and_speaks(two: tuple[Path, str]) -> None:
    folder, said = two
    assert said.count("Training in whole") == 1
    assert said.count("[80/640 images") == 1
    assert said.count("The detector accepts") == 1
    assert len(Run(folder).rows()) == 8
    assert len(list((folder / "samples").iterdir())) == 6  # reals, before the training, and a sheet each 160 images
    assert checkpoint.head(Run(folder).model)["machine"]["ranks"] == 2


def test_another_number_of_processes_is_noted(two: tuple[Path, str], experiment: Experiment, tmp_path: Path) -> None:
    shutil.copytree(two[0], tmp_path / "run")
    warned = [e.text for e in experiment.run(tmp_path / "run") if isinstance(e, Warned)]
    assert "ranks was 2 and is 1: the run continues, but not bit for bit." in warned


def test_kill_9_of_a_rank_is_mended_by_the_launcher(
    two: tuple[Path, str], experiment: Experiment, launcher: Launcher | Torchrun, tmp_path: Path
) -> None:
    """All ranks begin again in the folder that the launch had made, and end with the weights of the other run."""
    (tmp_path / "experiment.json").write_text(json.dumps(experiment.to_dict()))
    (tmp_path / "mine.py").write_text(
        "import json, os, signal, sys, time\nfrom ganvas.training.experiment import Experiment\n"
        "second = os.environ['RANK'] == '1' and os.environ['TORCHELASTIC_RESTART_COUNT'] == '0'\n"
        "for event in Experiment.from_dict(json.load(open('experiment.json'))).run():\n"
        "    time.sleep(0.01)\n"
        "    if second and event.images >= 400:\n"
        "        print(*{'torch._dynamo', 'pandas'} & {*sys.modules}, file=open('needless', 'w'), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    if os.environ['RANK'] == '0': print(type(event).__name__, event.images, flush=True)\n"
    )
    launcher.start("--max-restarts", "1", "mine.py", cwd=tmp_path)
    assert launcher.wait() == 0, (tmp_path / "err").read_text()
    said = (tmp_path / "out").read_text().splitlines()
    starts = [int(line.split()[1]) for line in said if line.startswith("Started")]
    assert (tmp_path / "needless").read_text() == "\n"  # imports of a second each
    assert len(starts) == 2
    assert 0 < starts[1] <= 400
    (folder,) = (tmp_path / "runs").iterdir()
    assert log(folder) == log(two[0])
    ours, theirs = weights(folder), weights(two[0])
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_sigterm_stops_all_ranks_after_the_same_step(
    two: tuple[Path, str], launcher: Launcher | Torchrun, tmp_path: Path
) -> None:
    arguments = ["-m", "ganvas", "--", "train", "mine.py:mine", "--run", "run", "images=1M", "save_seconds=1e6"]
    for name in ("mine.py", "experiment.json"):
        shutil.copy(two[0].parent / name, tmp_path)
    number = launcher.start(*arguments, cwd=tmp_path)
    deadline = time.monotonic() + 900
    while not Run(tmp_path / "run").rows() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(number, signal.SIGTERM)
    launcher.wait()
    out, err = ((tmp_path / name).read_text() for name in ("out", "err"))
    assert "Stopped and saved" in out, err
    assert "KeyboardInterrupt" not in err
    assert "ganvas:" not in err  # nobody was left behind
    state = checkpoint.load(Run(tmp_path / "run").snapshots()[0])[1]
    assert state["images"] >= Run(tmp_path / "run").rows()[-1]["images"] > 0


@pytest.fixture(scope="module")
def several(
    run: Path, source: Path, experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """One launch that trains and then does several other things; its folder, and what it printed."""
    place = tmp_path_factory.mktemp("several")
    (place / "other").mkdir()
    for path in source.iterdir():
        (place / "other" / path.name).write_bytes(path.read_bytes())
    raw = bytearray((place / "other" / "train-labels-idx1-ubyte").read_bytes())
    raw[-1] = 1 - raw[-1]
    (place / "other" / "train-labels-idx1-ubyte").write_bytes(raw)
    (place / "experiment.json").write_text(json.dumps(experiment.to_dict()))
    (place / "mine.py").write_text(
        "import json\nfrom ganvas.training.experiment import Experiment\n"
        "def mine():\n    return Experiment.from_dict(json.load(open('experiment.json')))\n"
    )
    (place / "photos").mkdir()
    for i in range(10):
        small = np.random.default_rng(i).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(small).resize((60 + 5 * i, 70 + 7 * i), Image.Resampling.BICUBIC).save(
            place / f"photos/{i}.png"
        )
    (place / "rows.csv").write_text(table_rows())
    write_sounds(place / "sounds")
    (place / "all.py").write_text(
        "import os\nfrom pathlib import Path\nfrom ganvas.tasks.generate.commands import sample\n"
        "from ganvas.cli import app\nfrom ganvas.cli.evaluate import evaluate\n"
        "from ganvas.core.errors import UserError\nfrom mine import mine\n"
        "from ganvas.training.trainer import Trainer\nsaid = 0\n"
        "assert not app(['train', 'mine.py:mine', '--run', 'whole'], result_action='return_value')\n"
        f"assert not app([*{RESTORER}, '--run', 'restorer'], result_action='return_value')\n"
        f"assert not app([*{TABLE}, '--run', 'table'], result_action='return_value')\n"
        f"assert not app([*{LESSON}, '--run', 'lesson'], result_action='return_value')\n"
        f"assert not app([*{SOUND}, '--run', 'sound'], result_action='return_value')\n"
        "mine, second = mine(), os.environ['RANK'] == '1'\n"
        "for settings in ({'source': 'other'} if second else {}, {'lr_g': '0.5'} if second else {}, {'batch': '17'},\n"
        "                 {'source': 'no/where'} if second else {}, {}):\n"
        "    if settings == {} and said == 4 and second:\n"
        "        Trainer.digest = lambda trainer: 'drifted'\n"
        "    try:\n"
        "        for _ in mine.override(settings).run('run'):\n"
        "            assert said == 4, 'they trained'\n"
        "    except UserError as error:\n"
        "        said += 1\n"
        "        print(error, file=open('said' + os.environ['RANK'], 'a'))\n"
        "    if said < 5: assert not Path('run').exists()\n"
        f"run = Path({str(run)!r})\n"
        "sample(run, count=700, out=Path('two.npz'))\n"
        "sample(run, seeds='0-11', out=Path('two.png'))\n"
        "evaluate(run, metrics='frechet', extractor='pixels', count=300, repeats=2, out=Path('sheets'))\n"
    )
    done = torchrun("all.py", cwd=place)
    assert done.returncode == 0, done.stderr
    return place, done.stdout


def test_unlike_ranks_are_refused(several: tuple[Path, str]) -> None:
    """Other data, other settings, a batch that cannot be shared, an error on one rank only, and weights that drift."""
    said = (several[0] / "said0").read_text()
    assert said == (several[0] / "said1").read_text()
    data, settings, batch, place, weights = said.splitlines()
    assert "different data: the fingerprint is" in data
    assert "on rank 1. Start all with one command" in data
    assert "different settings: training.lr_g is 0.0002 on rank 0 and 0.5 on rank 1" in settings
    assert "batch=17 is the batch of all 2 processes together" in batch
    assert "choose batch=16 or batch=18" in batch
    assert "no/where. (This came from rank 1.)" in place
    assert re.match(r"The ranks have different weights after \d+ images: .* and drifted on rank 1\.", weights)


def test_drawing_and_measuring_are_shared(several: tuple[Path, str], run: Path) -> None:
    """The same pictures, bit for bit, and the same figures; the last portion is drawn by one rank only."""
    folder, said = several
    assert said.count("Drew 700 pictures") == 1
    sample(run, count=700, out=folder / "one.npz")
    one, two = (np.load(folder / f"{name}.npz") for name in ("one", "two"))
    assert all((one[name] == two[name]).all() for name in ("images", "labels", "seeds"))
    assert (folder / "two.png").is_file()
    rows = [row for row in Run(run).figures() if row["protocol"]["extractor"].startswith("pixels")]
    evaluate(run, metrics="frechet", extractor="pixels", count=300, repeats=2, out=folder / "sheets")
    assert Run(run).figures()[-1] == rows[-1]


def test_a_restorer_is_trained_by_two_processes(several: tuple[Path, str]) -> None:
    """Its losses are those of one process with the whole batch."""
    done = ganvas(*RESTORER, "--run", "alone", cwd=several[0])
    assert done.returncode == 0, done.stderr
    one, two = (Run(several[0] / name).rows() for name in ("alone", "restorer"))
    assert len(one) == len(two) == 10
    for a, b in zip(one, two, strict=True):
        for key in ("loss_d", "loss_pixel", "psnr"):
            assert a[key] == pytest.approx(b[key], rel=2e-3, abs=1e-4), (a["images"], key)


def test_a_discriminator_that_is_taught_first_is_trained_by_two_processes(several: tuple[Path, str]) -> None:
    """What the first one teaches is that of one process, bit for bit; in the contest the spread is of half a batch."""
    done = ganvas(*LESSON, "--run", "taught-alone", cwd=several[0])
    assert done.returncode == 0, done.stderr
    assert several[1].count("First a part of the discriminator learns") == 1
    alone, together = weights(several[0] / "taught-alone"), weights(several[0] / "lesson")
    for name, value in alone.items():
        if "backbone" in name or "scales" in name:
            assert torch.equal(value, together[name]), name
    for one, other in zip(log(several[0] / "taught-alone"), log(several[0] / "lesson"), strict=True):
        assert one["loss_d"] == pytest.approx(other["loss_d"], abs=0.1)


def test_sounds_are_trained_by_two_processes(several: tuple[Path, str]) -> None:
    """From a state in which no distance is known yet."""
    done = ganvas(*SOUND, "--run", "sound-alone", cwd=several[0])
    assert done.returncode == 0, done.stderr
    for one, other in zip(log(several[0] / "sound-alone"), log(several[0] / "sound"), strict=True):
        assert one["loss_d"] == pytest.approx(other["loss_d"], abs=0.1)


def test_each_rank_reads_its_own_part_of_each_batch(blobs: Path) -> None:
    images = data.load(str(blobs))
    cpu = torch.device("cpu")
    whole, parts = Batches(images, 24, 3, cpu), [Batches(images, 24, 3, cpu, rank, 3) for rank in range(3)]
    for seen in range(0, 600, 24):  # over the end of an epoch of 300, too
        batch, shares = whole.at(seen), [part.at(seen) for part in parts]
        assert torch.equal(torch.cat([s.real for s in shares]), batch.real)
        assert {s.step for s in shares} == {batch.step}
        drawn = torch.cat([s.draw(torch.randn, 5) for s in shares])
        torch.manual_seed(seeds.key(3, "step", seen))
        assert torch.equal(drawn, batch.draw(torch.randn, 5))
    assert torch.equal(parts[1].whole().at(24).real, whole.at(24).real)


def test_without_a_launcher_there_is_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in distributed.LAUNCH:
        monkeypatch.delenv(name, raising=False)
    with distributed.joined(), distributed.together(), distributed.in_turn():
        assert (distributed.rank(), distributed.size(), distributed.local_rank()) == (0, 1, 0)
        assert distributed.share(17) == 17
        assert distributed.broadcast("a") == "a"
        assert distributed.gather("a") == ["a"]
        distributed.wish("save")
        assert distributed.granted("save")
        assert not distributed.granted("save")
        tensor = torch.ones(3)
        distributed.average([tensor])
        distributed.agree({"a": 1}, "settings")
        distributed.meet()
        assert list(distributed.waiting("nothing")) == []
        assert distributed.once("folder", lambda: "a") == "a"


def test_a_launch_without_the_others_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "SILENCE", timedelta(seconds=1))
    for name, value in zip(distributed.LAUNCH, ("1", "2", "localhost", "1"), strict=True):
        monkeypatch.setenv(name, value)
    told = r"other processes cannot be reached at localhost:1 .*same torchrun"
    with pytest.raises(UserError, match=told), distributed.joined():
        pass


def test_the_examples_for_clusters_are_well_formed() -> None:
    folder = Path(__file__).parents[2] / "examples" / "cluster"
    done = subprocess.run(["bash", "-n", str(folder / "slurm.sh")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    job = yaml.safe_load((folder / "kubernetes.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    trainer = job["spec"]["trainer"]
    assert trainer["numNodes"] * trainer["numProcPerNode"] == 8
    (patched,) = job["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = patched["template"]["spec"]["template"]["spec"]
    assert pod["volumes"][0]["name"] == pod["containers"][0]["volumeMounts"][0]["name"]
    script = [line for line in (folder / "slurm.sh").read_text().splitlines() if not line.startswith("#")]
    words = [trainer["command"], "\n".join(script).replace("\\\n", " ").split()]
    for text in words:  # torchrun itself understands them, and leaves to Ganvas what is Ganvas's
        parsed = get_args_parser().parse_args(text[text.index("torchrun") + 1 :])
        assert (parsed.training_script, parsed.training_script_args[0]) == ("ganvas", "train")
        assert parsed.max_restarts == 3
