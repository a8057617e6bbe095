"""The API: what is refused, in which words and with which status; who may ask; what is kept for other thresholds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="serve is an extra: pip install 'ietool[serve]'")

from starlette.testclient import TestClient

from ietool.core.candidates import Candidates
from ietool.core.view import Mark, View
from ietool.serve.app import create_app
from ietool.serve.drawn import drawn
from ietool.serve.guard import HEADERS, Hosts
from ietool.serve.kept import Entry, KeptScores
from ietool.serve.limits import Limits
from ietool.tables import Table
from tests.serve.made import Stub, found_in

SMALL = Limits(texts=5, characters=50, body=2000, timeout=1, window=0.001, kept=3)
TOKEN = "correct horse battery".replace(" ", "-")
BASE = "http://127.0.0.1:8000"


def client_of(*runs: Any, limits: Limits = SMALL, **more: Any) -> TestClient:
    app = create_app(runs or (Stub(),), limits, **more)
    return TestClient(app, BASE, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(Stub(), Stub("other", label="x")) as made:
        yield made


def post(client: TestClient, body: Any, path: str = "/predict", **headers: str | bytes) -> tuple[int, dict[str, Any]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, content=raw, headers={"Content-Type": "application/json", **headers})
    return answer.status_code, answer.json()


def test_texts_and_records_are_answered(client: TestClient) -> None:
    status, told = post(client, {"texts": ["banana", "b"]})
    assert status == 200
    found = [{"text": "banana", "places": [1], "threshold": 0.5}, {"text": "b", "places": [], "threshold": 0.5}]
    about = {"run": "stub", "task": "stub", "inputs": [0, 1], "kept": None, "views": None}
    assert told == {**about, "predictions": found}
    status, told = post(client, {"inputs": ["aa", {"text": "a", "times": 2}], "run": "other"})
    assert (status, told["run"], told["inputs"]) == (200, "other", [0, 1, 1])


BAD: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "the body is not JSON"),
    "no JSON": (b"{texts", 400, "is not JSON"),
    "no UTF-8": (b'{"texts": ["\xff"]}', 400, "is not UTF-8 at byte 13"),
    "a list": (b"[]", 422, "is a list, an object is needed"),
    "NaN": (b'{"texts": ["a"], "decode": {"threshold": NaN}}', 400, "NaN"),
    "a huge number": (b'{"texts": ["a"], "decode": {"threshold": 1e999}}', 400, "JSON does not know"),
    "a long number": (b'{"inputs": [{"text": 1' + b"0" * 1900 + b"}]}", 413, "characters"),
    "deep": (b"[" * 1900, 400, "body"),
    "an unknown field": (b'{"text": "a"}', 422, "is no field"),
    "no texts": (b"{}", 422, "neither texts nor inputs"),
    "both": (b'{"texts": ["a"], "inputs": ["a"]}', 422, "both texts and inputs"),
    "texts null": (b'{"texts": null}', 422, "neither"),
    "texts a string": (b'{"texts": "a"}', 422, "a list is needed"),
    "texts empty": (b'{"texts": []}', 422, "is empty"),
    "a number": (b'{"texts": [1]}', 422, "a string is needed"),
    "an object in texts": (b'{"texts": [{}]}', 422, "a string is needed"),
    "a list in inputs": (b'{"inputs": [[]]}', 422, "a string or an object"),
    "a blank text": (b'{"texts": [" \\n"]}', 422, "is empty"),
    "half a pair": (b'{"texts": ["\\ud800"]}', 422, "surrogate"),
    "half a pair in a record": (b'{"inputs": [{"text": "\\ud800"}]}', 422, "surrogate"),
    "a zero byte": (b'{"texts": ["a\\u0000"]}', 422, "zero byte"),
    "a bad text": (b'{"texts": ["a", "bad"]}', 422, "is bad"),
    "a record without": (b'{"inputs": [{}]}', 422, "is missing"),
    "an unknown run": (b'{"run": "x\\ud800", "texts": ["a"]}', 422, "no run is called"),
    "keep a string": (b'{"texts": ["a"], "keep": "yes"}', 422, "true or false is needed"),
    "an unknown setting": (b'{"texts": ["a"], "decode": {"kb": "/etc/passwd"}}', 422, "no setting"),
    "a setting out of bounds": (b'{"texts": ["a"], "decode": {"threshold": 1.5}}', 422, "out of bounds"),
    "one below the scores": (b'{"texts": ["a"], "decode": {"threshold": 0}}', 422, "out of bounds"),
    "a truth for a number": (b'{"texts": ["a"], "decode": {"threshold": true}}', 422, "is no number"),
    "a number for a truth": (b'{"texts": ["a"], "decode": {"strict": 1}}', 422, "true or false"),
    "too many": (b'{"texts": ["a", "a", "a", "a", "a", "a"]}', 413, "6 entries, 5 are the most"),
    "too many in records": (b'{"inputs": ["a", {"text": "a", "times": 5}]}', 413, "too many"),
    "a record of very many": (b'{"inputs": [{"text": "a", "times": 999999}]}', 413, "too many"),
    "too long": (json.dumps({"texts": ["a" * 51]}).encode(), 413, "51 characters, 50 are the most"),
    "a long record": (json.dumps({"inputs": [{"text": "a" * 51}]}).encode(), 413, "characters"),
    "too large": (b" " * 3000, 413, "larger than 2,000 bytes"),
    "what fails": (b'{"texts": ["boom"]}', 500, "the model failed"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_sentence(name: str, client: TestClient, capfd: pytest.CaptureFixture[str]) -> None:
    raw, status, words = BAD[name]
    found, told = post(client, raw)
    assert found == status and words in told["error"], told
    assert "/home" not in json.dumps(told) and "Traceback" not in json.dumps(told)
    assert set(told) <= {"error", "field", "mend"}
    assert post(client, {"texts": ["a"]})[0] == 200  # nothing is lost by it


def test_what_is_wrong_is_named_by_its_place(client: TestClient) -> None:
    assert post(client, {"texts": ["a", "bad"]})[1] == {"error": "is bad", "field": "texts[1]", "mend": "send another"}
    assert post(client, {"inputs": [{}]})[1]["field"] == "inputs[0].text"
    assert post(client, {"texts": ["a"], "decode": {"threshold": "x"}})[1]["field"] == "decode.threshold"


def test_a_mark_at_the_beginning_is_no_part_of_the_body(client: TestClient) -> None:
    assert post(client, b'\xef\xbb\xbf{"texts": ["a"]}')[0] == 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(("run", "texts", "inputs", "decode", "keep", "view", "kept", "x"))


@examples(max_examples=60)
@given(body=st.dictionaries(_KEYS, _JSON, max_size=4), path=st.sampled_from(("/predict", "/decode")))
def test_no_body_is_answered_with_an_error_of_the_server(client: TestClient, body: Any, path: str) -> None:
    status, told = post(client, body, path)
    assert status in (200, 410, 413, 422), told


@examples(max_examples=40)
@given(raw=st.binary(max_size=40))
def test_no_bytes_are(client: TestClient, raw: bytes) -> None:
    assert post(client, raw)[0] in (200, 400, 422)


# -- other thresholds


def test_other_settings_are_decoded_from_what_is_kept(client: TestClient) -> None:
    _, first = post(client, {"texts": ["banana"], "keep": True, "view": True})
    run = client.app.state.service.runs["stub"]  # type: ignore[attr-defined]
    asked = len(run.batches)
    _, told = post(client, {"kept": first["kept"], "decode": {"threshold": 0.4}, "view": True}, "/decode")
    assert told["predictions"] == [{"text": "banana", "places": [1, 3], "threshold": 0.4}]
    assert [row[1] for row in told["views"][0]["table"]["rows"]] == [1, 3]
    assert post(client, {"kept": first["kept"], "view": True}, "/decode")[1] == first
    assert len(run.batches) == asked  # the model was asked nothing
    _, same = post(client, {"texts": ["banana"], "decode": {"threshold": 0.4}})
    assert same["predictions"] == told["predictions"]


def test_kept_scores_know_which_input_each_is_of(client: TestClient) -> None:
    asked = {"inputs": ["a", {"text": "aa", "times": 2}], "keep": True}
    _, first = post(client, asked)
    _, again = post(client, {"kept": first["kept"], "decode": {"threshold": 0.4}}, "/decode")
    assert first["inputs"] == again["inputs"] == [0, 1, 1]


def test_what_is_kept_no_longer_is_gone(client: TestClient) -> None:
    names = [post(client, {"texts": [f"a{n}"], "keep": True})[1]["kept"] for n in range(4)]
    assert post(client, {"kept": names[0]}, "/decode")[0] == 410
    assert post(client, {"kept": names[3]}, "/decode")[0] == 200
    assert post(client, {"kept": "x"}, "/decode")[0] == 410
    assert post(client, {}, "/decode")[1]["field"] == "kept"


def test_runs_without_scores_say_so() -> None:
    run = Stub()
    run.keeps = False
    with client_of(run) as client:
        assert post(client, {"texts": ["a"], "keep": True})[1]["kept"] is None
        assert "keeps no scores" in post(client, {"texts": ["a"], "decode": {"threshold": 0.4}})[1]["error"]


@given(sizes=st.lists(st.integers(0, 3000), max_size=40))
def test_the_cache_is_bounded_by_entries_and_bytes(sizes: list[int]) -> None:
    kept = KeptScores(6, 20_000)
    names: list[tuple[str, Entry]] = []
    for size in sizes:
        entry = Entry("r", ["x"], [found_in("a" * (size % 7))], [0], size)
        name = kept.add(entry)
        assert (name is None) == (entry.size > 20_000)
        names += [] if name is None else [(name, entry)]
        assert len(kept) <= 6 and kept.size <= 20_000
        last = [(n, e) for n, e in names if (found := kept.find(n)) and found.items is e.items and found.size == e.size]
        assert kept.size == sum(e.size for _, e in last) and last == names[len(names) - len(last) :]


def test_those_used_last_stay() -> None:
    kept = KeptScores(2, 1 << 20)
    one, two = (kept.add(Entry(n, [], [], [], 0)) for n in "ab")
    assert one and two and kept.find(one)
    kept.add(Entry("c", [], [], [], 0))
    assert kept.find(one) is not None and kept.find(two) is None


def test_pieces_and_marks_are_whole(client: TestClient) -> None:
    _, told = post(client, {"texts": ["b\u202ea\x1b[31mn😀a"], "decode": {"threshold": 0.1}, "view": True})
    (text,) = told["views"][0]["texts"]
    shown = "".join(piece[0] for piece in text["pieces"])
    assert "\u202e" not in shown and "\x1b" not in shown and "😀" in shown and len(shown) == len("b\u202ea\x1b[31mn😀a")
    starts, at = {}, 0
    for piece in text["pieces"]:
        starts[at] = piece[1:]
        at += len(piece[0])
    assert all(n in starts[start] for n, (_, start, _) in enumerate(text["marks"]))


# -- who may ask


def test_a_token_is_asked_for_where_there_is_one() -> None:
    with client_of(token=TOKEN) as client:
        for path in ("/", "/health", "/openapi.json"):
            assert client.get(path).status_code == 200
        assert client.get("/runs").status_code == 401
        for word in (
            "",
            "Bearer",
            "Bearer x",
            f"Basic {TOKEN}",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            "Bearer ü",
        ):
            status, told = post(client, {"texts": ["a"]}, Authorization=word.encode())
            assert (status, set(told)) == (401, {"error", "mend"}), word
        assert client.get("/nowhere").status_code == 401  # what there is, strangers do not learn
        assert post(client, {"texts": ["a"]}, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert client.get("/runs", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "here", "everywhere"),
    [
        ("127.0.0.1:8000", True, True),
        ("127.0.0.1", True, True),
        ("localhost:1", True, True),
        ("LOCALHOST.", True, True),
        ("[::1]:8000", True, True),
        ("mine.example", False, True),
        ("Mine.Example:80", False, True),
        ("192.0.2.7:8000", False, True),
        ("[2001:db8::1]", False, True),
        ("evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost.evil.example:8000", False, False),
        ("evil.example@127.0.0.1", True, True),  # the host of such a name is the address behind the sign
        ("127.0.0.1@evil.example", False, False),
        ("", False, False),
        ("[", False, False),
        ("0x7f000001", False, False),
    ],
)
def test_hosts(host: str, here: bool, everywhere: bool) -> None:
    assert Hosts().knows(host) is here
    assert Hosts(loopback=False, names=frozenset(("mine.example",))).knows(host) is everywhere


def test_pages_of_strangers_are_refused(client: TestClient) -> None:
    assert client.get("/runs", headers={"Host": "evil.example"}).status_code == 421
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9"},
                    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):  # fmt: skip
        assert post(client, {"texts": ["a"]}, **headers)[0] == 403
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert post(client, {"texts": ["a"]}, Origin=BASE, **{"Sec-Fetch-Site": "same-origin"})[0] == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert post(client, {"texts": ["a"]}, **{"Content-Type": kind})[0] == 415
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = client.options("/predict", headers=asked)
    assert preflight.status_code == 403
    assert not any(name.startswith("access-control") for name in preflight.headers)


def test_packed_and_endless_bodies(client: TestClient) -> None:
    assert post(client, {"texts": ["a"]}, **{"Content-Encoding": "gzip"})[0] == 415
    chunks = (b" " * 100 for _ in range(50))
    answer = client.post("/predict", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert post(client, b"{}", **{"Content-Length": "9" * 40})[0] == 413


def test_every_answer_has_its_headers(client: TestClient) -> None:
    for answer in (client.get("/"), client.get("/runs"), client.get("/nowhere"), client.post("/predict")):
        for name, value in HEADERS:
            assert answer.headers[name.decode()] == value.decode()
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert "frame-ancestors 'none'" in client.get("/").headers["Content-Security-Policy"]


def test_what_is_not_there_and_not_allowed_is_json(client: TestClient) -> None:
    assert client.get("/nowhere").json() == {"error": "not found"}
    assert client.get("/predict").json() == {"error": "method not allowed"}
    for path in ("/docs", "/redoc"):  # whose pages load scripts from afar
        assert client.get(path).status_code == 404


def test_what_nobody_foresaw_has_no_traceback() -> None:
    run = Stub()
    run.record = None  # type: ignore[assignment, method-assign]
    with client_of(run) as client:
        status, told = post(client, {"texts": ["a"]})
    assert status == 500 and told == {"error": "something went wrong in the server; its log says what"}


def test_health_runs_and_openapi(client: TestClient) -> None:
    assert client.get("/health").json()["status"] == "ok"
    told = client.get("/runs").json()
    assert [run["name"] for run in told["runs"]] == ["stub", "other"] and told["limits"]["texts"] == 5
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/", "/health", "/runs", "/predict", "/decode"}
    schema = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"run", "texts", "inputs", "decode", "keep", "view"} == set(schema["properties"])
    assert "429" in described["paths"]["/predict"]["post"]["responses"]


def test_too_slow_is_told() -> None:
    run = Stub(seconds=1.5)
    with client_of(run, limits=Limits(timeout=0.2)) as client:
        status, told = post(client, {"texts": ["a"]})
    assert status == 504 and "0.2 s" in told["error"]


def test_candidates_that_are_nothing_take_no_room() -> None:
    none = found_in("")
    assert isinstance(none, Candidates) and Entry("r", [], [none], [], 0).size > 0


def test_marks_that_say_the_same_are_drawn_once() -> None:
    marks = [Mark(0, 1, "x", 0.2), Mark(0, 1, "x", 0.5), Mark(0, 2, "y"), Mark(0, 1, "x", 0.1, text=1)]
    told = drawn(View([("", "ab"), ("t", "c")], marks), Table("", ()))
    assert [text["marks"] for text in told["texts"]] == [[["x", 0, 0.5], ["y", 0, None]], [["x", 0, 0.1]]]
    assert [text["pieces"] for text in told["texts"]] == [[["a", 0, 1], ["b", 1]], [["c", 0]]]
