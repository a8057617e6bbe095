"""The real server: on a socket, ended by SIGTERM; and what the command refuses before it begins."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="serve is an extra: pip install 'ietool[serve]'")

from ietool.serve import batching, protocol
from ietool.serve.app import create_app
from ietool.serve.limits import Limits
from ietool.serve.server import is_loopback, listen, serve, url_of
from tests.cli.conftest import complaint
from tests.recorded.flows import copy_run
from tests.serve.made import Stub


@pytest.fixture
def running() -> Iterator[tuple[Stub, str, int, Any]]:
    """A server in a thread, with its address and the server itself."""
    run, made = Stub(), listen("127.0.0.1", 0)
    servers: list[Any] = []
    app = create_app([run], Limits(timeout=10, window=0.0))
    thread = threading.Thread(target=serve, args=(app, made, Limits(timeout=10), servers.append))
    thread.start()
    while not servers or not servers[0].started:
        time.sleep(0.01)
    host, port = made.getsockname()
    yield run, host, port, servers[0]
    servers[0].should_exit = True
    run.gate.set()
    thread.join(20)
    assert not thread.is_alive()


def ask(host: str, port: int, *texts: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("POST", "/predict", json.dumps({"texts": texts}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_what_was_asked_before_the_end_is_answered(running: tuple[Stub, str, int, Any]) -> None:
    run, host, port, server = running
    run.gate.clear()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, host, port, f"a{n}") for n in range(6)]
        while len(run.batches) < 1:
            time.sleep(0.01)
        time.sleep(0.2)
        server.should_exit = True  # as SIGTERM sets it
        time.sleep(0.3)
        with pytest.raises(OSError):
            ask(host, port, "late")
        run.gate.set()
        answers = [one.result() for one in asked]
    assert [status for status, _ in answers] == [200] * 6
    assert [told["predictions"][0]["text"] for _, told in answers] == [f"a{n}" for n in range(6)]


def test_requests_by_hand(running: tuple[Stub, str, int, Any]) -> None:
    """What no client library sends."""
    _, host, port, _ = running

    def said(raw: bytes) -> bytes:
        with socket.create_connection((host, port), 10) as stream:
            stream.sendall(raw)
            return stream.recv(65536)

    assert said(b"GET /runs HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421")
    assert said(b"GET /runs HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")[9:10] == b"4"
    assert said(b"\x16\x03\x01\r\n\r\n")[9:12] == b"400"
    large = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    assert said(large).startswith(b"HTTP/1.1 413")
    assert said(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000)[9:12] == b"400"
    assert said(b"X" * 40_000)[9:12] == b"400"
    assert b"server:" not in said(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").lower()


def test_what_a_client_asked_that_has_hung_up_is_not_read(
    running: tuple[Stub, str, int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "LOOK", 0.05)
    run, host, port, _ = running
    run.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, host, port, "first")
        while not run.batches:
            time.sleep(0.01)
        connection = http.client.HTTPConnection(host, port)
        connection.request("POST", "/predict", '{"texts": ["second"]}', {"Content-Type": "application/json"})
        time.sleep(0.2)
        connection.close()
        time.sleep(0.4)
        run.gate.set()
        assert first.result()[0] == 200
    assert ask(host, port, "third")[0] == 200
    assert run.batches == [["first"], ["third"]]


def test_who_sends_nothing_is_sent_away(running: tuple[Stub, str, int, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, host, port, _ = running
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    for begin in (b"", b"GET / HTTP/1.1\r\nHost: "):
        with socket.create_connection((host, port), 10) as stream:
            stream.sendall(begin)
            assert stream.recv(100) == b""
    # One that has been answered is held.
    connection = http.client.HTTPConnection(host, port, timeout=10)
    for _ in range(2):
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        time.sleep(0.5)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
@pytest.mark.parametrize("trailer", [b"a: b\r\n", b"a: " + b"b" * 5000])
def test_trailers_without_end_are_cut_off(running: tuple[Stub, str, int, Any], trailer: bytes) -> None:
    """They would be kept, and nothing asks for them. A few are passed over, and a body in small pieces is one."""
    _, host, port, _ = running
    begin = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    begin += b"Transfer-Encoding: chunked\r\n\r\n"
    body = json.dumps({"texts": ["a" * 20_000]}).encode()
    pieces = b"".join(b"1\r\n" + body[n : n + 1] + b"\r\n" for n in range(len(body)))
    with socket.create_connection((host, port), 10) as stream:
        stream.sendall(begin + pieces + b"0\r\na: b\r\n\r\n")
        assert stream.recv(1 << 12).startswith(b"HTTP/1.1 200")
    with socket.create_connection((host, port), 10) as stream:
        stream.sendall(begin + b"0\r\n" + trailer)
        with pytest.raises(OSError):
            for _ in range(2000):
                stream.sendall((trailer if trailer.endswith(b"\n") else b"b" * 5000) * 8)
                time.sleep(0.001)


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    copy_run("ner-crf", tmp_path / "run")
    command = [sys.executable, "-m", "ietool", "serve", str(tmp_path / "run"), "--port", "0", "--device", "cpu"]
    command += ["--window", "1000"]  # so long what is asked waits for others
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "IETOOL_HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines: list[str] = []
            while not (found := re.search(r"serving: http://127.0.0.1:(\d+) ", lines[-1] if lines else "")):
                lines.append(process.stderr.readline())
                assert lines[-1], "".join(lines)
            texts = ["甲在北京工作，乙在上海学习。"] * 3
            with ThreadPoolExecutor(6) as pool:
                asked = [pool.submit(ask, "127.0.0.1", int(found[1]), *texts) for _ in range(6)]
                time.sleep(0.4)
                assert not any(one.done() for one in asked), "some were answered before the signal"
                process.send_signal(signal.SIGTERM)
                answers = [one.result() for one in asked]
            assert process.wait(30) == 0
            rest = process.stderr.read()
        finally:
            process.kill()
    assert [(status, len(told["predictions"])) for status, told in answers] == [(200, 3)] * 6
    assert rest == "stopped: what was asked before is answered\n"


def test_names_of_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "localhost.example", "")))
    with listen("127.0.0.1", 0) as made:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url_of(made))


def test_the_command_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IETOOL_TOKEN", raising=False)
    missing = str(tmp_path / "none")

    def said(*more: str) -> str:
        return complaint(capsys, "serve", missing, *more)

    assert "no such run folder" in said("--port", "0")
    assert "there is no token" in said("--host", "0.0.0.0")
    assert "12 are the least" in said("--token", "short")
    assert "characters other than ASCII" in said("--token", "with blanks in it")
    assert "cannot listen" in said("--host", "192.0.2.1", "--token", "long-enough-word")
    assert "cannot listen" in said("--host", "no such host", "--token", "long-enough-word")
    with listen("127.0.0.1", 0) as taken:
        assert "cannot listen" in said("--port", str(taken.getsockname()[1]))


def test_without_the_extra_it_says_what_to_install(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'ietool[serve]'" in complaint(capsys, "serve", "runs/mine")
