"""What does a large knowledge base cost a text? The second half of ``el_predict.py`` (``--work``), which says more."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import el_kb
import torch

from ietool.files.lines import read_lines
from ietool.tasks.el.data.reading import read_inputs
from ietool.tasks.el.heads.joint.descriptions import EncodedDescriptions
from ietool.tasks.el.heads.joint.reader import JointReader
from ietool.workflow.predict import Loaded

TURN = 1024
"""At most so many texts are asked of one knowledge base before the other: a pool of the predictor."""

PROPOSING = ("decode.mention=0.05", "decode.link=0", "decode.joint=0")
"""A model of one epoch is unsure; with these it proposes mentions all the same."""


def forget(reader: JointReader) -> None:
    """Empty the caches of descriptions, of their characters and words and of what the network makes of these."""
    reader.featurizer._described.clear()
    reader.descriptions = EncodedDescriptions(reader.model, reader.recipe.decode.batch_size)


def peak_memory() -> int:
    """The most bytes of memory that this process ever held."""
    try:
        # On Linux ru_maxrss begins with what the parent held when it started this process.
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def made(folder: Path, arguments: argparse.Namespace) -> dict[str, Path]:
    """Make what is not there yet: two knowledge bases, the texts, a run. Name → path."""
    paths = {name: folder / name for name in ("run", "texts.json", "data", "large", "small")}
    (folder / "data").mkdir(parents=True, exist_ok=True)
    el_kb.CORE = arguments.small  # all that the texts mention, and all there is in the small knowledge base
    characters = arguments.characters / arguments.entities
    el_kb.write_texts(paths["texts.json"], arguments.texts, seed=arguments.seed)
    for name, entities in (("small", arguments.small), ("large", arguments.entities)):
        source = folder / "data" / "kb_data" if name == "small" else folder / "kb_data"
        if not paths[name].is_dir():
            el_kb.write_kb(source, entities, characters=characters, seed=arguments.seed)
            build = [sys.executable, el_kb.__file__, "--step", "build", str(source), str(paths[name])]
            subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    if not (paths["run"] / "run.json").is_file():
        drawn = list(el_kb.texts(arguments.texts + arguments.train + 200, seed=arguments.seed))[arguments.texts :]
        for name, records in (("dev.json", drawn[:200]), ("train.json", drawn[200:])):
            lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            (paths["data"] / name).write_text("".join(lines), encoding="utf-8")
        command = [sys.executable, "-m", "ietool", "train", "-r", "el", "--data", str(paths["data"])]
        command += ["--output", str(paths["run"]), "--set", "training.epochs=1", "--device", arguments.device]
        environment = {**os.environ, "IETOOL_HOME": str(folder / "home")}
        subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    return paths


def answer(run: Path, kb: Path, source: Path, device: str) -> None:
    """The process of one knowledge base: predict as many texts as a line on standard input says, and tell
    how long that took."""
    began = time.perf_counter()
    loaded = Loaded(run, device, overrides=[f"decode.kb={kb}", *PROPOSING])
    opened = time.perf_counter() - began
    reader = loaded.predictor.reader
    assert isinstance(reader, JointReader)
    list(loaded.stream(islice(read_inputs(read_lines(source)), 32)))  # kernels and dictionaries are loaded
    forget(reader)
    stream = read_inputs(read_lines(source))
    digest, total, mentions, candidates = hashlib.sha256(), 0, 0, 0
    print(json.dumps({"open_seconds": opened}), flush=True)
    for line in sys.stdin:
        texts = list(islice(stream, int(line)))
        began = time.perf_counter()
        found = list(loaded.stream(texts))
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        for text in texts:
            reader.featurizer.encode(text.text)
        features = time.perf_counter() - began
        total += len(found)
        for linking in found:
            for m in linking.mentions:
                mentions, candidates = mentions + 1, candidates + len(m.candidates)
                what = (linking.text_id, m.start, m.end, m.kb_id, [c.kb_id for c in m.candidates])
                digest.update(repr(what).encode())
        state = {
            "texts": total,
            "seconds": seconds,
            "features": features,
            "mentions": mentions,
            "peak_mb": peak_memory() / 1e6,
        }
        print(json.dumps({**state, "candidates": candidates, "digest": digest.hexdigest()}), flush=True)


def scale(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds a text with the large and with the small knowledge base, in turns."""
    if not 0 < arguments.small < arguments.entities:
        sys.exit("--small must be less than --entities")
    sizes = (arguments.entities, arguments.small, arguments.characters, arguments.texts, arguments.train)
    folder = arguments.work / "-".join(map(str, (*sizes, arguments.seed)))
    paths = made(folder, arguments)
    here, processes = Path(__file__), {}
    for name in ("small", "large"):
        command = [sys.executable, here, arguments.device, paths["run"], paths[name], paths["texts.json"]]
        processes[name] = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(name: str) -> dict[str, Any]:
        stdout = processes[name].stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            sys.exit(f"the process of the {name} knowledge base ended: {processes[name].wait()}")
        told: dict[str, Any] = json.loads(line)
        return told

    opened = {name: tell(name)["open_seconds"] for name in processes}
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in processes}
    size = min(TURN, -(-arguments.texts // 8))
    for turn in range(-(-arguments.texts // size)):
        # Each is first as often as second, so that whatever warms or tires the machine is shared.
        for name in ("small", "large") if turn % 2 else ("large", "small"):
            stdin = processes[name].stdin
            assert stdin is not None
            stdin.write(f"{size}\n")
            stdin.flush()
            turns[name].append(tell(name))
    for process in processes.values():
        process.communicate()
    last = {name: told[-1] for name, told in turns.items()}
    seconds = {name: sum(one["seconds"] for one in told) for name, told in turns.items()}
    features = {name: sum(one["features"] for one in told) for name, told in turns.items()}
    texts = last["large"]["texts"]
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(turns["large"], turns["small"], strict=True)]
    result = {
        "seed": arguments.seed,
        "threads": torch.get_num_threads(),
        "entities": {"large": arguments.entities, "small": arguments.small},
        "texts": texts,
        "mentions_per_text": last["large"]["mentions"] / texts,
        "candidates_per_mention": last["large"]["candidates"] / max(last["large"]["mentions"], 1),
        "milliseconds_per_text": {name: 1000 * taken / texts for name, taken in seconds.items()},
        "ratio": seconds["large"] / seconds["small"],
        "ratio_of_turns": {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)},
        "features_milliseconds_per_text": {name: 1000 * taken / texts for name, taken in features.items()},
        "features_ratio": features["large"] / features["small"],
        "open_seconds": opened,
        "peak_mb": {name: one["peak_mb"] for name, one in last.items()},
        "equal": last["large"]["digest"] == last["small"]["digest"],
    }
    ratio = f"{result['ratio']:.3f} (of turns {min(ratios):.3f} – {max(ratios):.3f}; target: at most 1.3)"
    rows = [
        ("entities", *(f"{result['entities'][name]:,}" for name in ("large", "small")), ""),
        *(
            (what, *(f"{result[key][name]:{form}}" for name in ("large", "small")), shown)
            for what, key, form, shown in (
                ("ms a text", "milliseconds_per_text", ".2f", ratio),
                ("… matching, features", "features_milliseconds_per_text", ".3f", f"{result['features_ratio']:.3f}"),
                ("opened in, s", "open_seconds", ".2f", ""),
                ("peak memory, MB", "peak_mb", ".0f", ""),
            )
        ),
    ]
    print(f"{'':24}{'large':>12}{'small':>12}  ratio")
    for what, large, small, ratio in rows:
        print(f"{what:24}{large:>12}{small:>12}  {ratio}".rstrip())
    print(
        f"{texts:,} texts, {result['mentions_per_text']:.2f} mentions each of {result['candidates_per_mention']:.1f} "
        f"candidates, found {'the same' if result['equal'] else 'NOT the same'} by both"
    )
    return result


if __name__ == "__main__":
    kind, run_, kb_, source_ = sys.argv[1:]
    answer(Path(run_), Path(kb_), Path(source_), kind)
