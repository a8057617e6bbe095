"""How does ``ietool serve`` bear many clients? Texts per second against ``ietool predict`` on the same texts, latency,
memory, and whether anything is lost.

    python benchmarks/serve_load.py --run runs/mine [--input texts.jsonl] [--clients 64] [--seconds 60] [--texts 8]

``predict`` and ``serve`` each run as a process of their own, one after another, with the same threads and device. Each
client holds one connection and sends its next request when its last is answered, ``--texts`` texts each, which it
takes in turn from the input (default: the corpus that ships). Every answer must be of the texts that were sent, in
their order, and hold what ``predict`` finds in the same text, probabilities to a thousandth: others are counted as
wrong. Texts whose items lie that close to a threshold may differ, since they are read in other batches. Memory is the
resident set of the server after each quarter of the time. At last SIGTERM is sent in the midst of all
clients' requests: those that were being answered must be answered, and the server must end with exit code 0. The load
goes to 127.0.0.1 alone. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from ietool import paths
from ietool.registry import get_task
from ietool.runs.entry import open_run
from ietool.serve.asked import characters_of

_SAME = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--input", help="texts in the competition's form; default: dev of the corpus that ships")
    parser.add_argument("--count", type=int, default=4000, help="texts that predict is timed on, repeated to so many")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--texts", type=int, default=8, help="of a request")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    task = get_task(open_run(options.run).info.task)
    asked = texts_of(task, options.input)
    with tempfile.TemporaryDirectory() as scratch:
        alone = predict_rate(task, asked, options, Path(scratch))
    wanted = direct(options.run, asked, options.device)
    server = Server(options.run, options.device)
    try:
        load = asyncio.run(loaded(server, asked, wanted, options))
    finally:
        server.kill()
    told = {
        "task": task.name,
        "clients": options.clients,
        "texts a request": options.texts,
        "predict, texts/s": round(alone, 1),
        "serve, texts/s": round(load.rate, 1),
        "share": round(load.rate / alone, 3),
        "requests": load.sent,
        "lost": load.sent - load.answered,
        "wrong": load.wrong,
        "p50, ms": round(1000 * share(load.latencies, 0.5), 1),
        "p95, ms": round(1000 * share(load.latencies, 0.95), 1),
        "p99, ms": round(1000 * share(load.latencies, 0.99), 1),
        "MB by quarters": [round(size / 1e6, 1) for size in load.resident],
        "in flight at SIGTERM": load.flying,
        "of these answered": load.landed,
        "exit code": load.code,
    }
    for key, value in told.items():
        print(f"{key:24} {value}")
    print(json.dumps(told))


def texts_of(task: Any, source: str | None) -> list[str | dict[str, Any]]:
    """The inputs of a file, each as a client sends it; each once."""
    if source is None:
        source = str(task.locate(paths.shipped_data(task.name), needed=("dev",)).files["dev"])
    found = {json.dumps(one): one for one in map(task.told, task.open_inputs(source)) if characters_of(one) <= 10_000}
    return list(found.values())


def predict_rate(task: Any, asked: list[Any], options: argparse.Namespace, scratch: Path) -> float:
    """Texts per second of ``ietool predict``, its model loaded. Records that are not read line by line go in their
    file as they are."""
    source = options.input
    if all(isinstance(one, str) for one in asked):
        source = str(scratch / "inputs.jsonl")
        lines = (json.dumps({"text": text, "id": str(n), "text_id": str(n)}) for n, text in
                 enumerate(islice(cycle(asked), options.count)))  # fmt: skip
        Path(source).write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif source is None:
        source = str(task.locate(paths.shipped_data(task.name), needed=("dev",)).files["dev"])
    command = [sys.executable, "-m", "ietool", "predict", source, "--run", str(options.run), "--device", options.device]
    done = subprocess.run([*command, "--output", str(scratch / "out.json")], stderr=subprocess.PIPE, text=True)
    found = re.search(r"took: ([\d.]+) s \(([\d,]+)/s\)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(done.stderr)
    return float(found[2].replace(",", ""))


def direct(run: Path, asked: list[Any], device: str) -> list[Any]:
    """What the run finds in each input, as JSON has it."""
    from ietool.files.plain_json import dump_json
    from ietool.serve.served import open_all

    (served,) = open_all([run], device, None)
    items = [
        served.task.input_of(one) if isinstance(one, str) else next(iter(served.task.inputs_of(one, "inputs[0]")))
        for one in asked
    ]
    return [json.loads(dump_json(served.record(one.prediction))) for one in served.answer(items, keep=False)]


class Server:
    """``ietool serve`` as a process of its own, on a free port of 127.0.0.1."""

    def __init__(self, run: Path, device: str) -> None:
        command = [sys.executable, "-m", "ietool", "serve", str(run), "--port", "0", "--device", device]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if found := re.match(r"serving: http://127\.0\.0\.1:(\d+) ", line):
                self.port = int(found[1])
                return
        raise SystemExit("".join(lines))

    @property
    def resident(self) -> int:
        """Bytes of its memory; 0 where the system does not tell."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return 1024 * int(found[1]) if found else 0

    def end(self) -> int:
        """Wait for its end after a signal; its exit code."""
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Load:
    """What came of the load."""

    sent: int = 0
    answered: int = 0
    texts: int = 0
    wrong: int = 0
    latencies: list[float] = field(default_factory=list)
    rate: float = 0.0
    resident: list[int] = field(default_factory=list)
    flying: int = 0
    landed: int = 0
    code: int | None = None
    ending: bool = False


async def loaded(server: Server, asked: list[Any], wanted: list[Any], options: argparse.Namespace) -> Load:
    load = Load()
    begin = time.monotonic()
    clients = [
        asyncio.create_task(client(server.port, asked, wanted, options.texts, n * 37, load))
        for n in range(options.clients)
    ]
    for _ in range(4):
        await asyncio.sleep(options.seconds / 4)
        load.resident.append(server.resident)
    load.rate = load.texts / (time.monotonic() - begin)
    load.ending = True
    load.flying = load.sent - load.answered
    before = load.answered
    server.process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(asyncio.gather(*clients), 120)
    load.landed = load.answered - before
    load.code = await asyncio.to_thread(server.end)
    return load


async def client(port: int, asked: list[Any], wanted: list[Any], texts: int, at: int, load: Load) -> None:
    """One client with one connection, until the load ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not load.ending:
        numbers = [(at + n) % len(asked) for n in range(texts)]
        at += texts
        body = json.dumps({"inputs": [asked[n] for n in numbers]}).encode()
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        begin = time.monotonic()
        load.sent += 1
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        try:
            status, answer = await read_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            break  # which is lost
        load.latencies.append(time.monotonic() - begin)
        load.answered += 1
        predictions = json.loads(answer).get("predictions", []) if status == 200 else []
        load.texts += len(predictions)
        right = len(predictions) == texts and all(map(same, predictions, (wanted[n] for n in numbers)))
        load.wrong += not right
    writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of an answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length is not None
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length[1]))


def same(found: Any, wanted: Any) -> bool:
    """Whether two values of JSON are the same but for rounding."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(found, float) and isinstance(wanted, float):
        return abs(found - wanted) <= _SAME
    return bool(found == wanted) or (isinstance(found, str) and found.startswith("inputs["))


def share(values: list[float], part: float) -> float:
    """A quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    main()
