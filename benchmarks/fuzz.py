"""Mutated inputs over all forms through the real readers and commands, for as long as one likes.

    python benchmarks/fuzz.py --inputs 10000 [--seed 1] [--first 0] [--keep FOLDER]

Counts tracebacks, signals, hangs over 20 s and memory over a gigabyte, and keeps such inputs with what was said.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fuzz.hunt import Hunt, hunt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to go on with a hunt")
    parser.add_argument("--keep", type=Path, help="a folder for inputs that are faults")
    options = parser.parse_args()
    begin = time.monotonic()

    def tell(number: int, result: Hunt) -> None:
        if number % 100 == 0:
            print(
                f"{number}: codes {dict(result.codes)}, {len(result.faults)} faults, at most {result.megabytes} MB and "
                f"{result.seconds:.1f} s, {time.monotonic() - begin:.0f} s in all",
                flush=True,
            )

    result = hunt(options.inputs, options.seed, keep=options.keep, first=options.first, tell=tell)
    for fault in result.faults:
        print(fault)
    print(f"{result.inputs} inputs, codes {dict(result.codes)}, {len(result.faults)} faults")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
