"""How often the rules about degenerate outputs are wrong: on honest text, and on planted damage.

Honest: pieces of this repository's own code, prose, tables and JSON, as long as a model's answers.
Planted: each kind of damage put behind the first half of such a piece. Token ids are those of a
simple tokenizer (words with their space, single digits, single marks), or of a byte-pair encoder
trained on the same files where the package `tokenizers` is installed.

    python benchmarks/degenerate.py [--length 2000] [--folder .]
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python puts this folder first, where statistics.py would hide the standard library's.
sys.path[:1] = [str(ROOT / "src")]

import argparse  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable  # noqa: E402

from roofmark.analysis.degenerate import look_at  # noqa: E402
from roofmark.analysis.rules.output import Output  # noqa: E402

SUFFIXES = (".py", ".md", ".cu", ".cpp", ".json", ".toml", ".csv")
LARGEST = 40_000
# It holds damage of its own.
PLANTED = "test_degenerate.py"
PIECE = re.compile(r" ?[^\W\d_]+|\d|[^\w\s]|_|\n+|[ \t]+")
Encode = Callable[[str], tuple[int, ...]]

DAMAGE: dict[str, Callable[[str], str]] = {
    "!!!! behind": lambda text: text + "!" * 40,
    "!!!! alone": lambda text: "!!!!",
    "spaced ! ! !": lambda text: "! " * 40,
    "empty": lambda text: "  \n",
    "a sentence again and again": lambda text: text + " The answer is not known yet." * 12,
    "a word again and again": lambda text: text + " the" * 120,
    "lines in a loop": lambda text: text + "\nStep 1: add them.\nStep 2: add them." * 20,
    "broken characters": lambda text: text + "\ufffd\x00" * 40,
}


def pieces(folder: Path, length: int) -> list[str]:
    """Return the texts of a folder, cut to pieces."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.name == PLANTED:
            continue
        if path.suffix in SUFFIXES and not any(part.startswith(".") for part in parts):
            text = path.read_text(encoding="utf-8", errors="replace")[:LARGEST]
            found += [text[i : i + length] for i in range(0, len(text), length)]
    return [each for each in found if len(each.split()) > 5]


def encoder(texts: list[str]) -> tuple[str, Encode]:
    """Return the name of a tokenizer and what it does."""
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError:
        words: dict[str, int] = {}
        return "words, digits, marks", lambda text: tuple(
            words.setdefault(each, len(words)) for each in PIECE.findall(text)
        )
    tool = Tokenizer(models.BPE())
    tool.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tool.decoder = decoders.ByteLevel()
    tool.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=8000, show_progress=False))
    return "byte-pair, 8000", lambda text: tuple(tool.encode(text).ids)


def codes(texts: list[str], encode: Encode) -> tuple[int, Counter[str]]:
    """Return how many outputs any rule fires on, and how many each rule does."""
    counts: Counter[str] = Counter()
    fired = 0
    for text in texts:
        found = {f.code for f in look_at(Output(text=text, tokens=encode(text)))}
        counts.update(found)
        fired += bool(found)
    return fired, counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=ROOT)
    arguments = parser.parse_args()
    texts = pieces(arguments.folder, arguments.length)
    name, encode = encoder(texts)
    print(f"{len(texts)} pieces of {arguments.length} characters, tokenizer: {name}")
    fired, counts = codes(texts, encode)
    print(f"honest                          {fired:5d} of {len(texts)}  {dict(counts)}")
    sample = random.Random(1).sample(texts, min(200, len(texts)))
    for kind, damage in DAMAGE.items():
        halves = [damage(each[: len(each) // 2]) for each in sample]
        fired, counts = codes(halves, encode)
        print(f"{kind:30s}  {fired:5d} of {len(halves)}  {dict(sorted(counts.items()))}")


if __name__ == "__main__":
    main()
