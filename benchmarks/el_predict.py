"""How much faster is batched linking than one text at a time, and what does a large knowledge base cost a text?

    python benchmarks/el_predict.py --run runs/el/DIR --data DIR [--limit 500] [--device cpu] [--precision fp32]
    python benchmarks/el_predict.py --work FOLDER [--entities 400000] [--small 4000] [--texts 10000]

With ``--run``: texts per second of the run's predictor, and of three loops with the same weights and thresholds on the
same texts. Every loop takes one text a call.

    one by one     each candidate of each mention on its own, its description encoded each time
    text by text   the candidates of a text together, as in the article's code; descriptions encoded anew each text
    kept           as before, but encoded descriptions are kept from one text to the next, as the predictor does

All take turns in one process, and begin each turn with empty caches; features are part of all, loading of none, and in
all a description's characters and words are looked up once a turn. ``--data`` is a file of texts, or a folder whose dev
file is taken. Spans and kb_ids must be the same and probabilities within 1e-4; in half precision and on GPUs up to one
mention in a thousand may fall to the other side of a threshold, and the number that does is printed.

With ``--work``: seconds a text of the predictor with a synthetic knowledge base (``el_kb.py``) of 400,000 entities and
with one of 4,000, in which the texts have the same mentions with the same candidates. A model of the recipe's size is
trained for one epoch on such texts, since only its cost matters, and predicts with either knowledge base
(``decode.kb``) in a process of its own; the two take turns, about a thousand texts each. They must find the same.
What is made stays in the folder, and is used again.

Prints a table, then one JSON line; exit code 1 where outputs differ.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from el_kb import CORE
from el_scale import forget, scale

from ietool.core.predicting import Predictor
from ietool.files.lines import read_lines
from ietool.tasks.el.data.example import Example
from ietool.tasks.el.data.reading import read_inputs
from ietool.tasks.el.data.sources import locate
from ietool.tasks.el.heads.joint.descriptions import EncodedDescriptions
from ietool.tasks.el.heads.joint.ranking import link_logits
from ietool.tasks.el.heads.joint.reader import JointReader
from ietool.tasks.el.heads.linkable import Linkable
from ietool.tasks.el.heads.linking import Linking
from ietool.training.device import autocast, choose_precision
from ietool.workflow.predict import Loaded

TOLERANCE = 1e-4
Predict = Callable[[Sequence[Example]], list[Linking]]


class OneByOne(JointReader):
    """Scores each candidate on its own, and encodes its description for it; candidates compete in one softmax."""

    def scores(
        self, texts: Sequence[str], links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]
    ) -> list[torch.Tensor]:
        scores: list[torch.Tensor] = []
        for text, linked in links:
            for at, entity in enumerate(linked.entities):
                one = slice(at, at + 1)
                alone = replace(linked, entities=[entity], overlaps=linked.overlaps[one], priors=linked.priors[one])
                scores += link_logits(self.model, EncodedDescriptions(self.model, 1), [(text, alone)], encoded)
        return scores


# -- one text at a time


def ways(loaded: Loaded) -> dict[str, Predict]:
    """The three loops, and the predictor as it is."""
    batched: Any = loaded.predictor
    recipe, model = batched.reader.recipe, batched.reader.model
    readers = OneByOne(recipe, model, loaded.run), JointReader(recipe, model, loaded.run)
    literal, kept = (Predictor(reader, batched.decoder, recipe.decode) for reader in readers)

    def fresh() -> None:
        for reader in (batched.reader, *readers):
            forget(reader)

    def one_by_one(texts: Sequence[Example]) -> list[Linking]:
        fresh()
        return [linking for text in texts for linking in literal.predict([text])]

    def text_by_text(texts: Sequence[Example]) -> list[Linking]:
        fresh()
        found: list[Linking] = []
        for text in texts:
            readers[1].descriptions = EncodedDescriptions(model, recipe.decode.batch_size)
            found += kept.predict([text])
        return found

    def with_kept(texts: Sequence[Example]) -> list[Linking]:
        fresh()
        return [linking for text in texts for linking in kept.predict([text])]

    def together(texts: Sequence[Example]) -> list[Linking]:
        fresh()
        return list(batched.predict(texts))

    return {"one by one": one_by_one, "text by text": text_by_text, "kept": with_kept, "batched": together}


def read_texts(data: Path, limit: int) -> list[Example]:
    path = locate(data, ["dev"]).files["dev"] if data.is_dir() else data
    return list(islice(read_inputs(read_lines(path)), limit))


def spans(found: list[Linking]) -> set[tuple[object, ...]]:
    """Every mention with its text's number, and what it is linked to."""
    return {(n, m.start, m.end, m.kb_id) for n, linking in enumerate(found) for m in linking.mentions}


def gap(one: list[Linking], other: list[Linking]) -> float:
    """The largest difference of a probability, of mentions and of candidates, where both have the same mention."""

    def probabilities(found: list[Linking]) -> Iterator[tuple[tuple[object, ...], float]]:
        for n, linking in enumerate(found):
            for m in linking.mentions:
                yield (n, m.start, m.end), m.probability
                for c in m.candidates:
                    yield (n, m.start, m.end, c.kb_id), c.probability

    known = dict(probabilities(one))
    return max((abs(known[key] - p) for key, p in probabilities(other) if key in known), default=0.0)


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rates of the loops and of the predictor; whether they find the same."""
    loaded = Loaded(arguments.run, arguments.device, arguments.batch_size)
    loaded.recipe.training.precision = arguments.precision
    precision = choose_precision(loaded.recipe, loaded.device)
    texts = read_texts(arguments.data, arguments.limit)
    if type(loaded.predictor.reader) is not JointReader or loaded.predictor.reader.model.config.loss == "pair":
        sys.exit(f"{arguments.run} is no run of the recipe el, whose reader the loops repeat")
    predict = ways(loaded)
    seconds: dict[str, list[float]] = {name: [] for name in predict}
    found: dict[str, list[Linking]] = {}
    with autocast(loaded.device, precision):
        for way in predict.values():  # kernels and dictionaries are loaded before the clock runs
            way(texts[:16])
        for _ in range(arguments.rounds):
            for name, way in predict.items():
                began = time.perf_counter()
                found[name] = way(texts)
                if loaded.device.type == "cuda":
                    torch.cuda.synchronize(loaded.device)
                seconds[name].append(time.perf_counter() - began)
    rates = {name: len(texts) / statistics.median(taken) for name, taken in seconds.items()}
    expected = spans(found["batched"])
    differ = max(len(expected ^ spans(other)) for other in found.values())
    candidates = [len(m.candidates) for linking in found["batched"] for m in linking.mentions]
    apart = max(gap(found["batched"], other) for other in found.values())
    result = {
        "device": str(loaded.device),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "texts": len(texts),
        "mentions": len(expected),
        "candidates_per_mention": sum(candidates) / max(len(candidates), 1),
        "differ": differ,
        "probability_gap": apart,
        **{f"{name.replace(' ', '_')}_texts_per_second": rate for name, rate in rates.items()},
        **{f"ratio_{name.replace(' ', '_')}": rates["batched"] / rates[name] for name in rates if name != "batched"},
    }
    print(f"{'':14}{'texts/s':>10}{'batched is':>12}")
    for name, rate in rates.items():
        print(f"{name:14}{rate:10.1f}" + ("" if name == "batched" else f"{rates['batched'] / rate:11.2f}×"))
    print(
        f"{len(expected):,} mentions of {len(texts):,} texts, {result['candidates_per_mention']:.1f} candidates each; "
        f"{differ} differ, probabilities by {apart:.1e} at most ({loaded.device}, {precision})"
    )
    exact = precision == "fp32" and loaded.device.type == "cpu"
    result["equal"] = differ == 0 and apart <= TOLERANCE if exact else differ <= len(expected) // 1000
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a finished run of entity linking: compare with the loops")
    parser.add_argument("--data", type=Path, help="with --run: file of texts, or folder with a dev file")
    parser.add_argument("--limit", type=int, default=500, help="with --run: texts")
    parser.add_argument("--rounds", type=int, default=3, help="with --run: turns of each; medians are printed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16", "auto"], help="with --run")
    parser.add_argument("--batch-size", type=int, default=None, help="with --run")
    parser.add_argument("--work", type=Path, help="a folder for large files: compare knowledge bases of two sizes")
    parser.add_argument("--entities", type=int, default=400_000)
    parser.add_argument("--small", type=int, default=CORE)
    parser.add_argument("--characters", type=int, default=10_000_000, help="of all descriptions of the large one")
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--train", type=int, default=2_000, help="texts to train on")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    if arguments.run is None and arguments.work is None:
        parser.error("give --run and --data, or --work, or all of them")
    if (arguments.run is None) != (arguments.data is None):
        parser.error("--run and --data go together")
    result = {}
    if arguments.run is not None:
        result["batching"] = compare(arguments)
    if arguments.work is not None:
        result["scale"] = scale(arguments)
    print(json.dumps(result))
    if not all(part["equal"] for part in result.values()):
        sys.exit("outputs differ")


if __name__ == "__main__":
    main()
