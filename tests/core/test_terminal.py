"""What reaches the terminal and the disk under names from outside: class names, cards, file names; any terminal."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganvas import cli
from ganvas.cli.main import main
from ganvas.core import checkpoint, naming, terminal
from ganvas.core.bars import Progressing
from ganvas.core.console import as_settings
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.text import command
from ganvas.export import model_card
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.generate.latent import walk as walks

HOSTILE = ("../up\x1b]0;title\x07[red]x\n\x9b2J", "größe [bold]\u202e\x1b[2J")

# ---- names


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["0", "one", "größe mit", "v1.0", "it's", "#1 & %", "日本", "[red]"], None),  # ordinary ones stay
        (["a/b", "a_b"], ["a_b-2", "a_b"]),
        (["+", "*", "?"], ["+", "_", "_-2"]),
        (["..", "", ".", "../../etc", "/etc"], ["__", "_", "_-2", "___.._etc", "_etc"]),
        (["a", "A", "café", "cafe\u0301"], ["a", "A-2", "café", "cafe\u0301-2"]),
        (["NUL", "con", "com1.txt", "console"], ["_NUL", "_con", "_com1.txt", "console"]),
        ([".hidden", "x. ", " y", "a\\b", "c:"], ["_hidden", "x__", "_y", "a_b", "c_"]),
        (["\x1b[31m", "a\nb", "a\tb", "\udce9", "\u202eb"], ["_[31m", "a_b", "a_b-2", "_", "_b"]),
        (["__MACOSX", "a-2", "a", "A"], ["___MACOSX", "a-2", "a", "A-3"]),
    ],
)
def test_names_are_safe_and_stay_apart(names: list[str], wanted: list[str] | None) -> None:
    assert naming.apart(names) == (wanted or names)


def test_long_names_are_cut_and_stay_apart() -> None:
    names = ["ü" * 150, "ü" * 151, "x" * 300, "ü" * 100]
    apart = naming.apart(names)
    assert apart[3] == names[3]
    assert len({name.casefold() for name in apart}) == 4
    assert all(len(name.encode()) <= naming.LONGEST for name in apart)


@pytest.mark.parametrize("count", [300])
def test_any_names_make_folders_of_their_own(count: int, tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    letters = [*map(chr, range(0, 256)), *'/\\.:*?"<>| ', "ü", "\u0301", "\udc80", "-", "2"]
    names = sorted(
        {
            "".join(letters[i] for i in torch.randint(len(letters), (n,), generator=random).tolist())
            for n in torch.randint(0, 4, (count,), generator=random).tolist()
        }
    )
    for name in naming.apart(names):
        (tmp_path / name).mkdir()
    assert len(list(tmp_path.iterdir())) == len(names)


# ---- commands


@pytest.mark.skipif(os.name == "nt", reason="another shell")
@pytest.mark.parametrize("name", ["plain", "my run", 'it\'s "quoted"', "$HOME; `id`", "-dash", "ü*"])
def test_printed_commands_can_be_pasted(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("here")
    done = subprocess.run(
        command("cat", Path(name)), shell=True, cwd=tmp_path, executable="/bin/sh", capture_output=True, text=True
    )
    assert done.stdout == "here"
    assert shlex.split(command("x", name)) == ["x", name]


def test_commands_of_windows_are_quoted_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.core.text.os.name", "nt")
    assert command("ganvas", "info", "my run") == 'ganvas info "my run"'


def test_a_setting_is_given_once() -> None:
    assert as_settings(("seed=1", "lr_g=a=b")) == {"seed": "1", "lr_g": "a=b"}
    for texts, both in ((("seed=1", "seed=2"), "seed=1 and seed=2"), (("from=a", "from_=b"), "from=a and from=b")):
        with pytest.raises(UserError, match=both):
            as_settings(texts)


# ---- what is said


def test_what_is_said_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say(f"a {HOSTILE[0]}", "\x9b", "\udce9")
    terminal.say("wrong \x1b[2J", error=True)
    printed = capsys.readouterr()
    assert printed.out == "a ../up\\x1b]0;title\\x07[red]x\n\\x9b2J \\x9b \\udce9\n"
    assert printed.err == "wrong \\x1b[2J\n"
    terminal.say_json({"file": "a\x7f\x1b\udce9é"})
    line = capsys.readouterr().out
    assert line.isascii()
    assert line[:-1].isprintable()
    assert json.loads(line) == {"file": "a\x7f\x1b\udce9é"}


def test_tables_and_bars_show_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with Progressing(terminal.Console()) as progress:
        progress.doing(Doing(f"drawing of class {HOSTILE[1]}", 0.5))
        progress.progress.refresh()
        progress.print(f"kept [red]{HOSTILE[0]}")
    printed = out.getvalue()
    assert "größe [bold]\\u202e\\x1b[2J" in printed
    assert "kept [red]../up\\x1b]0;title\\x07[red]x" in printed
    assert not [sign for sign in ("\x1b[2J\x1b", "\x07", "\x1b]0") if sign in printed]


@pytest.fixture(scope="module")
def hostile(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model in a folder of an odd name, with a card that someone wrote to do harm."""
    folder = tmp_path_factory.mktemp("hostile") / "ü [red] it's"
    folder.mkdir()
    tensors, card = checkpoint.load(run / "model.safetensors")
    odd = {"classes": list(HOSTILE), "recipe": "m\x1b[2J\n## x", "data_name": "<script>d</script> [x](http://e) \x07"}
    checkpoint.save(folder / "model.safetensors", tensors, {**card, **odd})
    Image.open(next((run / "samples").glob("fakes_*.png"))).crop((0, 0, 12, 12)).save(folder / "é[b]\x1b[2J\n.png")
    return folder


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command line in this process; gives exit code and what it wrote to a terminal of some encoding."""

    def run_it(*arguments: str, encoding: str = "ascii", columns: int = 80) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["ganvas", *arguments])
        files = [io.BytesIO(), io.BytesIO()]
        for name, file in zip(("stdout", "stderr"), files, strict=True):
            monkeypatch.setattr(sys, name, io.TextIOWrapper(file, encoding, "strict", write_through=True))
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        assert code is None or isinstance(code, int)
        return code or 0, files[0].getvalue().decode(encoding), files[1].getvalue().decode(encoding)

    return run_it


COMMANDS = {
    "info": ["info", "MODEL"],
    "sample": ["sample", "MODEL", "--seeds", "0-3", "--out", "é.png"],
    "sample to a folder": ["sample", "MODEL", "--seeds", "0-3", "--out", "é"],
    "sample to a zip": ["sample", "MODEL", "--seeds", "0-3", "--out", "é.zip"],
    "walk": ["walk", "MODEL", "--seeds", "1,2", "--frames", "2", "--out", "é.gif"],
    "write": ["write", "MODEL", HOSTILE[1], "--out", "é.png"],
    "write what it cannot": ["write", "MODEL", "é\x1b[2J"],
    "detect": ["detect", "MODEL", "MODEL", "MODEL/model.safetensors"],
    "detect --json": ["detect", "MODEL", "MODEL", "--json"],
    "push": ["push", "MODEL", "./é/page"],
    "no such class": ["sample", "MODEL", "--class", "\x1b[2J"],
    "no such command": ["\x1b[2Jinfo", "é"],
    "compare": ["compare", "MODEL", "MODEL"],
    "recipes": ["recipes"],
    "help": ["--help"],
}


@pytest.mark.parametrize("columns", [20, 100])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_ends_in_a_traceback_or_obeys_a_name(name: str, columns: int, hostile: Path, call: Call) -> None:
    code, out, err = call(*[word.replace("MODEL", str(hostile)) for word in COMMANDS[name]], columns=columns)
    assert code in (0, 1, 2)
    assert "Traceback" not in out + err
    assert not [sign for sign in "\x1b\x07\x9b" if sign in out + err]
    if name == "info":
        assert "\\x1b]0;title\\x07[red]x\\n\\x9b2J" in out
    if name == "detect":
        assert code == 1
        assert err.endswith("ganvas: 1 of 2 files was skipped.\n")


def test_names_of_classes_never_leave_the_folder(hostile: Path, tmp_path: Path, call: Call) -> None:
    code, out, _ = call("sample", str(hostile), "--seeds", "0-3", "--out", "in/pictures", encoding="utf-8")
    assert code == 0
    assert "becomes ___up_]0;title_[red]x__2J" in out
    paths = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    folders = naming.apart(HOSTILE)
    assert paths == sorted(f"in/pictures/{folders[i % 2]}/seed{i:06d}.png" for i in range(4))


def test_the_page_of_a_model_holds_no_words_of_command(hostile: Path) -> None:
    text = model_card.markdown(generate_model.load(hostile), 'a "place" \x1b')
    assert "<script>" not in text
    assert "[x](http" not in text
    assert "\n## x" not in text
    assert not [sign for sign in "\x1b\x07\x9b\u202e" if sign in text]
    assert 'ganvas.load("a \\"place\\" \\\\x1b")' in text


# ---- what is there is not overwritten


TAKEN = {
    "s.png": ["sample", "RUN", "--seeds", "0-3"],
    "s.npz": ["sample", "RUN", "--seeds", "0-3"],
    "s.zip": ["sample", "RUN", "--seeds", "0-3"],
    "train-images-idx3-ubyte": ["sample", "RUN", "--seeds", "0-3"],
    "w.png": ["write", "RUN", "01"],
    "w.gif": ["walk", "RUN", "--seeds", "1,2", "--frames", "2"],
    "i.png": ["invert", "RUN", "RUN/samples/reals.png"],
    "d.png": ["detect", "RUN", "RUN/samples/reals.png"],
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_file_that_is_there_is_overwritten_only_with_force(name: str, run: Path, call: Call, tmp_path: Path) -> None:
    command = [*(word.replace("RUN", str(run)) for word in TAKEN[name]), "--out", name]
    (tmp_path / name).write_bytes(b"mine")
    code, _, err = call(*command)
    assert code == 2
    assert f"{name} already exists" in err
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"mine"]
    assert call(*command, "--force")[0] == 0
    assert (tmp_path / name).read_bytes() != b"mine"


def test_usual_names_are_numbered(run: Path, call: Call, tmp_path: Path) -> None:
    for number in ("", "-2", "-3"):
        code, out, _ = call("sample", str(run), "--seeds", "0-3")
        assert code == 0
        assert f": samples{number}.png" in out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["samples-2.png", "samples-3.png", "samples.png"]


def test_a_folder_is_replaced_only_where_it_holds_such_pictures(run: Path, call: Call, tmp_path: Path) -> None:
    command = ["sample", str(run), "--class", "1", "--out", "x", "--seeds"]
    assert call(*command, "0-3")[0] == 0
    code, _, err = call(*command, "5")
    assert (code, "--force to replace it" in err) == (2, True)
    assert len(list((tmp_path / "x" / "1").iterdir())) == 4
    assert call(*command, "5", "--force")[0] == 0
    assert [p.name for p in (tmp_path / "x" / "1").iterdir()] == ["seed000005.png"]
    (tmp_path / "x" / "mine.txt").write_text("mine")
    code, _, err = call(*command, "6", "--force")
    assert (code, "mine.txt" in err) == (2, True)
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == ["1", "mine.txt"]


def test_exports_and_pages_and_pushes_are_overwritten_only_with_force(run: Path, call: Call, tmp_path: Path) -> None:
    for args, file in (
        (["export", str(run), "--out", "x"], "x/detector.onnx"),
        (["export", str(run), "--web", "x"], "x/index.html"),
        (["push", str(run), "x"], "x/README.md"),
        (
            ["evaluate", str(run), "--count", "100", "--metrics", "frechet", "--extractor", "pixels", "--out", "x"],
            "x/a",
        ),
        (["expand", str(run), "--count", "1", "--out", "x"], "x/train-images-idx3-ubyte.gz"),
        (["data", "check", str(run / "samples"), "--out", "x/c.png"], "x/c.png"),
    ):
        (tmp_path / "x").mkdir()
        (tmp_path / file).write_text("mine")
        code, _, err = call(*args)
        assert (code, "--force" in err or "Choose a new folder" in err) == (2, True), args
        assert [p.read_text() for p in (tmp_path / "x").iterdir()] == ["mine"]
        (tmp_path / file).unlink()
        (tmp_path / "x").rmdir()


def test_a_place_on_the_hub_is_not_taken_for_a_folder(run: Path, call: Call, tmp_path: Path) -> None:
    code, _, err = call("push", str(run), "user/name")
    assert (code, "Did you mean hf://user/name? For a folder write ./user/name." in err) == (2, True)
    assert list(tmp_path.iterdir()) == []
    code, out, _ = call("push", str(run), "./user/name")
    assert (code, "Wrote what would be uploaded to user/name" in out) == (0, True)


# ---- the terminal itself


def test_full_and_closed_outputs_end_in_words(tmp_path: Path) -> None:
    shell = f"{shlex.quote(sys.executable)} -m ganvas --help"
    done = subprocess.run(f"{shell} >&- 2>&-", shell=True, cwd=tmp_path)
    assert done.returncode == 0
    if Path("/dev/full").exists():
        done = subprocess.run(f"{shell} >/dev/full", shell=True, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith("ganvas: ")
        assert not [word for word in ("Traceback", "Exception ignored") if word in done.stderr]


def test_with_a_closed_output_nothing_that_is_said_gets_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    terminal.prepare()
    terminal.say("a word")
    terminal.Console().print("a word")
    assert sys.stdout is not None
    assert sys.stdout.name == os.devnull
    sys.stdout.close()


def test_all_is_said_through_one_door() -> None:
    """No print() and no console of rich's own in what the command line is made of."""
    source = Path(cli.__file__).parent.parent
    paths = [*source.glob("cli/*.py"), *source.glob("tasks/**/*.py"), source / "core/console.py"]
    for path in [*paths, source / "core/bars.py"]:
        text = path.read_text()
        assert " print(" not in text.replace("def print(", ""), path
        assert "rich.console import Console" not in text, path


def test_animations_leave_no_part(tmp_path: Path) -> None:
    """Also not those of a process that was killed."""
    (tmp_path / ".w.gif.999999999.part").write_bytes(b"half")
    frames = iter([torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)])
    list(walks.save(tmp_path / "w.gif", frames))
    assert [p.name for p in tmp_path.iterdir()] == ["w.gif"]
