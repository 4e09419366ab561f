"""edgekit's memory estimates against llama.cpp's own dry run, on files of all five variants without weights.

Usage: python benchmarks/memory.py [--all]

160 settings: contexts of 2,048 to 131,072, ubatch 128 and 512, KV cache F16 and Q8_0, 1 and 512 outputs, with flash
attention. Prints the worst error of each column in bytes and percent; --all prints every setting.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from oracles.dry_run import Answer, Question, ask
from oracles.header_only import write_header_only

from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.catalog.weights import METADATA, weights
from edgekit.fit.buffers import compute_buffer, output_buffer
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.recognized import file_load
from edgekit.fit.settings import Settings
from edgekit.gguf_header import read_header

MIB = 1 << 20
QUANTIZATION = "Q4_K_M"
SETTINGS = list(product((2048, 8192, 32768, 131072), (128, 512), ("F16", "Q8_0"), (1, 512)))
Row = dict[str, tuple[int, int]]


def main() -> None:
    """Ask llama.cpp everything first, then time edgekit's answers."""
    asked = list(product(variants(), SETTINGS))
    with tempfile.TemporaryDirectory() as folder:
        questions = []
        for variant, (context, ubatch, cache, outputs) in asked:
            file = Path(folder) / variant.name
            if not file.exists():
                write_header_only(variant, QUANTIZATION, file)
            questions.append(Question(str(file), context, ubatch, outputs, cache))
        started = time.perf_counter()
        answers = ask(questions)
        llama_seconds = time.perf_counter() - started
    started = time.perf_counter()
    rows = [_row(variant, *settings, said) for (variant, settings), said in zip(asked, answers, strict=True)]
    seconds = time.perf_counter() - started
    if "--all" in sys.argv[1:]:
        _print_rows(asked, rows)
    print(f"{len(rows)} settings; the error is edgekit's estimate less llama.cpp's number.")
    for column in rows[0]:
        errors = [(row[column][0] - row[column][1], row[column][1]) for row in rows]
        low, high = min(errors), max(errors)
        print(
            f"{column:8} from {_error(*low)} to {_error(*high)}; {sum(not one for one, _ in errors)} equal to the byte"
        )
    print(f"edgekit {seconds:.2f} s, llama.cpp's dry run {llama_seconds:.2f} s: ratio {seconds / llama_seconds:.2f}")
    print(f"A header with 262,144 tokens read and recognized in {_walk_seconds():.3f} s of processor time.")


def _walk_seconds() -> float:
    """Return the least processor time of a walk over the header of an E2B file with all its 262,144 tokens."""
    smallest = variants()[0]
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"a{number}" for number in range(smallest.shape.vocab_size - 4))]
    times = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        write_header_only(smallest, QUANTIZATION, file, (tokens, ["a 1"]))
        for _ in range(5):
            started = time.process_time()
            assert file_load(read_header(file))
            times.append(time.process_time() - started)
    return min(times)


def _row(variant: Variant, context: int, ubatch: int, kind: str, outputs: int, said: Answer) -> Row:
    """Return edgekit's and llama.cpp's bytes by column."""
    settings = Settings(context, ubatch, ubatch, kind, kind, outputs=outputs)
    cache = kv_cache(variant.shape, settings)
    parts = weights(variant.shape, ModelFile(QUANTIZATION, ""))
    return {
        # llama.cpp holds the output matrix a second time where it may not map the file, as in a dry run.
        "weights": (parts.file - METADATA + parts.token_embeddings, said.weights),
        "KV": (cache.full + cache.sliding, said.cache),
        "compute": (compute_buffer(variant.shape, cache, settings), said.compute),
        # One row for the sequence; it grows with the first batch that asks for more.
        "output": (output_buffer(variant.shape, settings.sequences), round(said.output_mib * MIB)),
    }


def _print_rows(asked: list[tuple[Variant, tuple[int, int, str, int]]], rows: list[Row]) -> None:
    print("variant  context ubatch cache outputs  " + "  ".join(f"{column:>24}" for column in rows[0]))
    for (variant, (context, ubatch, cache, outputs)), row in zip(asked, rows, strict=True):
        pairs = "  ".join(f"{ours:12,}{theirs:13,}" for ours, theirs in row.values())
        print(f"{variant.name:8} {context:7} {ubatch:6} {cache:5} {outputs:7}  {pairs}")


def _error(difference: int, real: int) -> str:
    return f"{difference:+,} B ({difference / real:+.4%})"


if __name__ == "__main__":
    main()
