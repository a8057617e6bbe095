"""How often do the host and a GPU speak to each other within a batch? Counted on the pretend accelerator of the tests.

    python benchmarks/syncs.py [RECIPE …] [--places]        default: all

Of each recipe, tiny and on a few texts of the corpora that ship: the copies to the device and those of them that the
host waits for, the copies back, and the waits, for one training step (its batch, forward, backward, optimiser,
average) and for one batch of predictions (all windows of six texts). A copy back that is waited for is a wait, too.
Needs no GPU; how long a wait takes, a GPU alone can tell. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.pretend.counts import COPY_IN, COPY_OUT, WAIT, Counts
from tests.pretend.device import pretend
from tests.pretend.learning import fresh, make
from tests.pretend.reading import find
from tests.recorded.flows import FLOWS


def counted(name: str, folder: Path) -> dict[str, Counts]:
    """What happens in a training step and in a batch of predictions of a recipe."""
    made = make(name, folder / name)
    with pretend() as device:
        trainer = fresh(made, folder / "run", device).learn()
        _, predicting = find(name, made.work, device)
    return {"training": trainer.between[-1], "predicting": predicting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=", ".join(FLOWS))
    parser.add_argument("--places", action="store_true", help="also the lines of code that they come from")
    given = parser.parse_args()
    found: dict[str, dict[str, Counts]] = {}
    for name in given.recipes or FLOWS:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = counted(name, Path(folder))
        print(f"{name} is counted", file=sys.stderr)
    width = max(map(len, found))
    print(f"{'':{width}}  {'training step':^32}  {'batch of predictions':^32}")
    print(f"{'recipe':{width}}" + 2 * "  copies in  waited for   out  waits")
    for name, kinds in found.items():
        row = f"{name:{width}}"
        for counts in kinds.values():
            told = counts.told()
            row += f"  {told.copies_in:9}  {told.blocking:10}  {told.copies_out:4}  {told.waits:5}"
        print(row)
    for name, kinds in found.items() if given.places else ():
        for what, counts in kinds.items():
            print(f"\n{name}, {what}:\n{counts.places(COPY_IN, COPY_OUT, WAIT)}")
    print(json.dumps({name: {what: c.told()._asdict() for what, c in kinds.items()} for name, kinds in found.items()}))


if __name__ == "__main__":
    main()
