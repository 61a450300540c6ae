"""Words that were replaced do not come back: 58 phrases that a native speaker would not say, and house habits.

A phrase is a regular expression for running text: line breaks are spaces, and string literals that follow each other
are joined. Identifiers are left alone, as far as an expression can tell.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
STORED = ("fine contrast beside coarse",)  # names in the cards of models, which stay as they are
LEFT_OUT = ("CHANGELOG.md", "docs/log.md", "docs/decisions/", "tests/")  # history, and what asserts it
TEXTS = {".py", ".js", ".mjs", ".html", ".css", ".md", ".ipynb", ".toml", ".yml", ".yaml", ".sh"}


class Phrase(NamedTuple):
    """A regular expression for running text, an example of what it finds, and what to write instead."""

    pattern: str
    example: str
    better: str


PHRASES = [  # the 58, in the order in which a reader listed them: the phrase, an example, and what to write instead
    Phrase(
        r"(?<![,\"] )\b[Mm]end(?:s|ed|ers?)? (?!from\b|if\b|is now\b)(?=[a-z])|\bMending\b",
        "It mends photos",
        "restore, fix",
    ),
    Phrase(r"\bIt goes on\b|['\"]Go on['\"]", "It goes on.", "Resume, Resuming ..."),
    Phrase(r"It saves and stops", "It saves and stops.", "Saving and stopping ..."),
    Phrase(
        r"It is about to begin",
        "It is about to begin: networks are built …",
        "Starting: reading the pictures, building the networks ...",
    ),
    Phrase(r"\bIt (?:works|looks|draws|fills|listens) (?:…|\.\.\.)", "It works …", "Working ..., Looking ..."),
    Phrase(r"Nothing was \w+ yet", "Nothing was given yet.", "what to do: Drop a photo to see it before and after."),
    Phrase(r"Put away|Take it out\b|It waits no more", "It waits no more.", "Dismiss, Remove from queue, Removed."),
    Phrase(r"\blook for them\b|as the recipe says", "as the recipe says", "Browse ..., default: ..."),
    Phrase(
        r"whole training with everything chosen well",
        "A recipe is a whole training with everything chosen well; change what you like.",
        "a complete training setup with good defaults",
    ),
    Phrase(r"A few true steps", "A few true steps are tried …", "Timing a few training steps ..."),
    Phrase(r"if nothing else is at work", "25 min, if nothing else is at work.", "if nothing else is running"),
    Phrase(r"\blies? here\b", "17 pictures lie here.", "17 pictures in this folder"),
    Phrase(
        r"learns? (?:it|them) by heart|to be at ease",
        "a network learns them by heart",
        "would memorise them; Use at least 100, ideally 1,000.",
    ),
    Phrase(r"nearly another one", "5 pictures are nearly another one", "a near-duplicate"),
    Phrase(
        r"the middle is cut out|keeps all of each",
        "the middle is cut out",
        "cropped to the centre square, keeps the whole picture",
    ),
    Phrase(
        r"Mirroring would teach|pictures that do not exist",
        "Mirroring would teach pictures that do not exist.",
        "mirrored pictures would look wrong",
    ),
    Phrase(r"Its damage:", "Its damage: noise:25.", "Removes: ..."),
    Phrase(
        r"unlike the pictures of the training",
        "It is unlike the pictures of the training",
        "has less noise than the model was trained on",
    ),
    Phrase(r"Keep it \(", "Keep it (PNG)", "Download PNG"),
    Phrase(
        r"to tell \S+ from everything else", "trained to tell mnist from everything else", "trained to recognise ..."
    ),
    Phrase(
        r"of this kind as others", "where as many pictures of this kind as others come", "likely to be such a picture"
    ),
    Phrase(
        r"As the expert got it|moves the verdict most",
        "As the expert got it.",
        "What the expert sees; Red: what influenced it most",
    ),
    Phrase(r"['\"]Wipe['\"]", "'Wipe'", "Clear"),
    Phrase(r"How does the contest stand|Who plays\b", "How does the contest stand?", "Who is winning?, How it works"),
    Phrase(
        r"\bown penalty\b|falling is not the aim", "Each network's own penalty", "its error; falling is not the goal"
    ),
    Phrase(r"50% (?:is|would be) a coin", "50% is a coin.", "50% = guessing"),
    Phrase(
        r"what it says teaches the forger|the forger back to the middle",
        "what it says teaches the forger",
        "its verdict trains the forger",
    ),
    Phrase(
        r"to twice the length|Beside real pictures",
        "Train to twice the length",
        "twice as long; Compare with real pictures",
    ),
    Phrase(
        r"that a judgement needs|Let the training go on",
        "10 log lines that a judgement needs",
        "Too early to judge. Check back in a moment.",
    ),
    Phrase(
        r"a missing kind can still hide", "a missing kind can still hide", "one kind of picture could still be missing"
    ),
    Phrase(
        r"the expert's objections|never seen a picture",
        "it learned from the expert's objections alone",
        "it learned only from the expert's verdicts",
    ),
    Phrase(
        r"[Ff]ewer odd (?:ones|sounds|pictures)|Other corners|take it into the morph",
        "Fewer odd ones",
        "Typical, varied; New corners",
    ),
    Phrase(
        r"['\"]Hand['\"]|\bother hands\b|\bin another hand\b",
        "each digit in another hand",
        "Handwriting, another handwriting",
    ),
    Phrase(r"['\"]Deal['\"]|That is my verdict|Once more\b", "That is my verdict", "Start, Submit, Play again"),
    Phrase(r"passed for real (?:\$\{|\d)", "passed for real 50% of the time", "players took 50% of the fakes for real"),
    Phrase(
        r"a detector learns to know|The detector lets\b",
        "Now a detector learns to know such images",
        "Training the detector ...; It accepts ...",
    ),
    Phrase(
        r"disturbances (?:before|of what) D\b",
        "disturbances before D that follow its overfitting",
        "adaptive augmentation",
    ),
    Phrase(
        r"\bONE core\b|The default length was not run|\bn = 1\b", "18 minutes of ONE core", "on one core, measured once"
    ),
    Phrase(
        r"log line that people know|every 10 of them accuracy",
        "the log line that people know",
        "the familiar log line; every 10 epochs",
    ),
    Phrase(
        r"means since the line before|as if it had never been",
        "means since the line before",
        "averages since the previous log entry; after an interruption",
    ),
    Phrase(
        r"figures of unlike protocols|newest figures of several runs",
        "refuses figures of unlike protocols",
        "Compare the latest metrics of several runs",
    ),
    Phrase(
        r"Tell what a run\b|Hand the networks on|Scale a labelled data set",
        "Tell what a run or a model file is",
        "Describe a run; Export; Enlarge",
    ),
    Phrase(
        r"[Nn]ames with commas between them|all but the fresh expert",
        "Names with commas between them, or all",
        "Comma-separated names",
    ),
    Phrase(
        r"played for ever|(?:one|two|next|a|each|its|of) stations?\b",
        "Pictures from one station to the next",
        "loop back to the start; stops",
    ),
    Phrase(r"There is no class in", "There is no class in model.safetensors 'eleven'.", "This model has no class ..."),
    Phrase(r"\bis no class of\b", "'h' in 'hello' is no class of model.safetensors.", "This model cannot write ..."),
    Phrase(r"\bis no setting\b", "'x' is no setting: settings are written key=value", "is not a setting"),
    Phrase(
        r"two networks contest\b|right only half of the time\.", "In a GAN two networks contest", "two networks compete"
    ),
    Phrase(
        r"No hand ever wrote|none (?:was )?picked out",
        "No hand ever wrote them",
        "Nobody wrote these; not cherry-picked.",
    ),
    Phrase(
        r"are what was asked for",
        "are what was asked for",
        "an independent classifier reads them as the digit that was asked for",
    ),
    Phrase(r"the processor multiplies in bf16", "where the processor multiplies in bf16", "on CPUs with bf16"),
    Phrase(r"states what it does not know", "states what it does not know", "tells you when it is unsure"),
    Phrase(r"The first quarter of an hour", "The first quarter of an hour", "Your first 15 minutes"),
    Phrase(
        r"It is a door to|asks nothing of any other server",
        "It is a door to the same runs",
        "makes no network requests",
    ),
    Phrase(
        r"\bwhoever stops\b|finds nothing half-written", "finds nothing half-written", "no half-written file is left"
    ),
    Phrase(
        r"is for you to say|want `lively=0`", "which of them matters is for you to say", "is up to you; use `lively=0`"
    ),
    Phrase(
        r"\bheaps?\b (?=[a-z])|\bturned round\b|what costs nothing",
        "two heaps of pictures",
        "sets, swapped, baselines that need no training",
    ),
    Phrase(
        r"Frechet dist\. in class|class shares, apart|\bnear to real\b",
        "near to real",
        "per class, class balance error, close to real",
    ),
]
HABITS = [
    Phrase(r"\b[Pp]assed over\b", "a last line is passed over", "skipped"),
    Phrase(
        r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer\b|more\b|doubt\b)[a-zA-Z]",
        "this is no number",
        "is not a ...",
    ),
    Phrase(r"\bat work\b", "if another training is at work", "running"),
    Phrase(
        r"\b[Bb]eside (?!else\b|is\b|not\b|in\b|or\b)[a-zA-Z'’{$]",
        "stands beside each figure",
        "next to, compared with, besides, together with",
    ),
    Phrase(r"\bby heart\b", "learned by heart", "memorised"),
    Phrase(r"\b(?:lie|lies|lying)\b (?=[a-z])", "where a number lies in its cell", "is, are"),
    Phrase(r"\b[Gg](?:o|oes|oing) on\b", "the training goes on", "continue, resume"),
    Phrase(r"\b(?:is|are|be) worth\b(?! a\b)", "what the detector is worth", "how good it is"),
    Phrase(r"\btrue (?:pictures?|ones?|steps?|images?|sounds?|photos?|rows?)\b", "true pictures", "real, original"),
    Phrase(r"\bheld against\b|\bHold (?:it|them) against\b", "held against the other half", "compared with"),
    Phrase(r"\b(?:the|a|in|of) contest\b", "in the contest", "training, the adversarial phase"),
    Phrase(
        r"\b(?:it|they) stands? in the table\b|\b[Bb]eside (?:it|each|them) stands?\b",
        "as it stands in the table",
        "as it is in the table",
    ),
]
MORE = [  # other phrases that were brought to none
    Phrase(r"\bshall\b", "points that shall pass for real", "should"),
    Phrase(r"\bany more\b(?! [a-z]+ than\b)", "which does not exist any more", "no longer"),
    Phrase(r"\bfor ever\b(?! [a-z]+ between\b)", "it waits for ever", "forever"),
    Phrase(r"\bNothing is wrong with\b", "Nothing is wrong with them.", "No problems found."),
    Phrase(r"\bgo on with it\b|\bcannot go on\b", "go on with it on the command line", "resume it, cannot be resumed"),
    Phrase(
        r"\bMany (?:send|are asking) at once|\bThat went wrong\b",
        "Many are asking at once. Try again.",
        "Too many requests at once; Something went wrong",
    ),
    Phrase(
        r"\b(?:studio|disk) does not answer\b|\bThe studio answers \$",
        "The studio does not answer.",
        "is not responding, answered with error ...",
    ),
    Phrase(
        r"It starts when\b|['\"]It starts\.|Its turn comes\b|\bmark two or three\b|More adds nothing",
        "Its turn comes later.",
        "Starting ..., Not started yet., select two or three, A longer training would not help.",
    ),
    Phrase(
        r"\bmay change nothing\b|, and change nothing\b",
        "others may watch, and change nothing",
        "but not change anything",
    ),
    Phrase(r"\b(?:things|sounds|pictures) one recognises\b", "things one recognises", "recognisable things"),
    Phrase(r"\bHow many rows lead to one\b", "How many rows lead to one", "Child rows per parent row"),
    Phrase(r"\b1 (?:files|pictures|sounds|photographs|names) are\b", "1 files are copies of others", "1 file is"),
    Phrase(r"\bHeal it\b|\bheals it\b", "Heal it", "Fix it"),
    Phrase(
        r"\bRarer kinds of files|\bturned camera\b|\bFetch them again", "Rarer kinds of files", "Less common file types"
    ),
]


def needles(pattern: str) -> list[str]:
    """The longest plain text of each alternative of a pattern: where none of these is, searching is a waste of time."""
    alternatives = re.split(r"\|(?![^(]*\))", pattern)
    plain = (re.split(r"\(.*?\)[?]?|\[.*?\]|.[?]|\\.\+?", alternative) for alternative in alternatives)
    return [max(parts, key=len) for parts in plain]


WORDS = [(needles(one.pattern), re.compile(one.pattern), one.better) for one in PHRASES + HABITS + MORE]


def running(text: str) -> str:
    """A text with one space for line breaks, comment marks and indents, and nothing for seams of string literals."""
    text = " ".join(text.split())
    for seam in ('" "', '" f"', "' '", "' f'"):
        text = text.replace(seam, "")
    return text.replace(" # ", " ").replace(" // ", " ").replace(" * ", " ")


def found(text: str) -> list[str]:
    """What is said in a text that should be said otherwise: a sentence for each."""
    text = running(text)
    for name in STORED:
        text = text.replace(name, "")
    return [
        f"'...{text[max(m.start() - 20, 0) : m.end() + 20]}...': write {better}"
        for plain, words, better in WORDS
        if any(part in text for part in plain)
        for m in words.finditer(text)
    ]


def files() -> list[str]:
    """The tracked texts for people, without those of others."""
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=True)
    return [
        name
        for name in listed.stdout.split("\0")
        if name.startswith(("README.md", "benchmarks/", "docs/", "examples/", "src/"))
        and not name.startswith(LEFT_OUT)
        and Path(name).suffix in TEXTS
        and ".min." not in name
    ]


def test_each_phrase_is_found() -> None:
    assert len(PHRASES) == 58
    assert not [
        one.example for one in PHRASES + HABITS + MORE if not any(one.better in what for what in found(one.example))
    ]


@pytest.mark.parametrize(
    "text",
    [
        'raise UserError(f"{name} is no "\n    f"number.")',
        "a picture that\n        # lies in a folder",
        "<p>It goes\n on.</p>",
        "two\nheaps of pictures",
    ],
)
def test_a_phrase_is_found_across_lines_and_literals(text: str) -> None:
    assert found(text)


def test_names_and_good_english_are_not_found() -> None:
    assert not found("there is no file; it is no longer there; beside = beside or None; task.contest; mending.Mended()")


def test_the_words_are_not_back() -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in files()}
    assert len(texts) > 300
    wrong = [f"{name}: {what}" for name, text in texts.items() for what in found(text)]
    assert not wrong, "\n".join(wrong)
