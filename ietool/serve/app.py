"""The application: what is asked over HTTP, and what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ietool.core.candidates import Candidates
from ietool.errors import UserError, cut
from ietool.files.plain_json import dump_json
from ietool.serve.asked import DecodeRequest, Inputs, Prediction, PredictRequest, Problem, body_of, inputs_of
from ietool.serve.batching import Batcher, Gone
from ietool.serve.drawn import drawn
from ietool.serve.guard import Guard, Hosts, too_large
from ietool.serve.kept import Entry, KeptScores
from ietool.serve.limits import Limits, Refused, unusable
from ietool.serve.page import page_of, policy_of
from ietool.serve.served import Answer, Served
from ietool.version import __version__

_DIRECTLY = 8
"""Up to so many inputs are taken apart and written in the thread that talks to clients: others must not wait for it."""

_DECODING = 64
"""Requests that wait for other settings at most."""


def create_app(
    runs: Sequence[Served], limits: Limits | None = None, *, token: str | None = None, hosts: Hosts | None = None
) -> FastAPI:
    """The application for some runs, the first of which answers where none is named.

    Args:
        token: what clients must send; None: nothing.
        hosts: names that it answers to; default: those of this machine's loopback.
    """
    limits = Limits() if limits is None else limits
    service = Service(runs, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await asyncio.to_thread(service.stop)

    # The pages of FastAPI's own load scripts from afar: what there is to know stands in /openapi.json.
    app = FastAPI(title="ietool", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(Guard, hosts=hosts or Hosts(), token=token, body=limits.body)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": words}
        for status, words in (
            (400, "no JSON"), (401, "no token"), (413, "too much"), (415, "no JSON by its type"),
            (422, "bad input"), (429, "too many wait"), (504, "took too long"),
        )
    }  # fmt: skip

    @app.get("/", response_class=HTMLResponse, summary="The page")
    async def page() -> HTMLResponse:
        return HTMLResponse(page_of(), headers={"Content-Security-Policy": f"{policy_of()}; frame-ancestors 'none'"})

    @app.get("/health", summary="Whether it answers")
    async def health() -> dict[str, Any]:
        if not service.batcher.alive:
            raise Refused(503, "the model's thread has ended", mend="start the server again; its log says why")
        return {"status": "ok", "version": __version__}

    @app.get("/runs", summary="The runs, their settings and some examples", responses=problems)
    async def listed() -> Response:
        told = {"runs": [run.about for run in runs], "limits": _told(limits), "waiting": service.batcher.waiting}
        return _json(told)

    # What answers is written without FastAPI's taking apart of parameters, which there are none of and which takes as
    # long as all the rest; the routes behind it, which are never reached, describe it in /openapi.json.
    async def answer_predict(request: Request) -> Response:
        return await service.predict(await _body(request, PredictRequest, limits), request.is_disconnected)

    async def answer_decode(request: Request) -> Response:
        return await service.decode(await _body(request, DecodeRequest, limits))

    app.add_route("/predict", answer_predict, methods=["POST"], include_in_schema=False)
    app.add_route("/decode", answer_decode, methods=["POST"], include_in_schema=False)

    @app.post("/predict", summary="Predict on texts", response_model=Prediction, responses=problems,
              openapi_extra=_takes(PredictRequest))  # fmt: skip
    async def predict(request: Request) -> Response:
        return await answer_predict(request)

    @app.post("/decode", summary="Other settings on kept scores", response_model=Prediction,
              responses={**problems, 410: {"model": Problem, "description": "kept no longer"}},
              openapi_extra=_takes(DecodeRequest))  # fmt: skip
    async def decode(request: Request) -> Response:
        return await answer_decode(request)

    return app


class Service:
    """What the routes do."""

    def __init__(self, runs: Sequence[Served], limits: Limits) -> None:
        self.runs = {run.name: run for run in runs}
        self.limits = limits
        self.batcher = Batcher(limits, on_start=self._settle)
        self.kept = KeptScores(limits.kept, limits.kept_bytes)
        self._decoder: ThreadPoolExecutor | None = None
        self._decoding = 0

    def _settle(self) -> None:
        for run in self.runs.values():
            run.settle()

    def start(self) -> None:
        """Begin to answer."""
        self._decoder = ThreadPoolExecutor(1, "ietool-decode")
        self.batcher.start()

    def stop(self) -> None:
        """Answer what waits, and end."""
        self.batcher.stop()
        if self._decoder is not None:
            self._decoder.shutdown()

    def run(self, name: str | None) -> Served:
        """The run of a name; the first where there is none. Raises Refused."""
        if name is None:
            return next(iter(self.runs.values()))
        if name not in self.runs:
            readable = cut(name, 60).encode("utf-8", "backslashreplace").decode()
            raise Refused(422, f"no run is called {readable!r}", "run", f"choose of: {', '.join(self.runs)}")
        return self.runs[name]

    async def predict(self, body: Mapping[str, Any], gone: Gone | None = None) -> Response:
        """``POST /predict``. ``gone`` tells whether the client has left."""
        run = self.run(body.get("run"))
        keep, view, wanted = body.get("keep", False), body.get("view", False), body.get("decode", {})
        settings = _settings(run, wanted)
        given = len(body.get("texts") or body.get("inputs") or ())
        asked: Inputs = await self._aside(given, lambda: inputs_of(run.task, body, self.limits))
        # Candidates below the run's own thresholds are wanted where others decide.
        low = run.keeps and (keep or bool(wanted))
        said: Sequence[Answer] = await self.batcher.ask(run, asked.items, keep=low, size=asked.characters, gone=gone)
        kept = None
        if keep and run.keeps:
            kept = self.kept.add(Entry(run.name, asked.items, [one.found for one in said], asked.of, asked.characters))

        def written() -> bytes:
            predictions = [one.prediction for one in said]
            return _answer(run, asked.items, predictions, asked.of, kept, view)

        if wanted:
            return await self._decoded(run, asked.items, [one.found for one in said], settings, asked.of, kept, view)
        return Response(await self._aside(len(said), written, slow=view), media_type="application/json")

    async def decode(self, body: Mapping[str, Any]) -> Response:
        """``POST /decode``."""
        if "kept" not in body:
            raise Refused(422, "is missing", "kept", "send the name that POST /predict gave with keep")
        entry = self.kept.find(body["kept"])
        if entry is None:
            raise Refused(410, "these scores are kept no longer", "kept", "predict once more with keep")
        run = self.runs[entry.run]
        settings = _settings(run, body.get("decode", {}))
        kept, view = body["kept"], body.get("view", False)
        return await self._decoded(run, entry.items, entry.found, settings, entry.of, kept, view)

    async def _decoded(
        self,
        run: Served,
        items: Sequence[Any],
        found: Sequence[Candidates],
        settings: Any,
        of: Sequence[int],
        kept: str | None,
        view: bool,
    ) -> Response:
        """What other settings make of candidates, in the thread that does nothing else."""

        def written() -> bytes:
            return _answer(run, items, run.decoded(items, found, settings), of, kept, view)

        if self._decoding >= _DECODING:
            raise Refused(429, "too many wait for other settings", mend="try again", headers={"Retry-After": "1"})
        self._decoding += 1
        try:
            task = asyncio.get_running_loop().run_in_executor(self._decoder, written)
            async with asyncio.timeout(self.limits.timeout):
                raw = await task
        except TimeoutError:
            raise Refused(504, f"was not answered within {self.limits.timeout:g} s") from None
        finally:
            self._decoding -= 1
        return Response(raw, media_type="application/json")

    async def _aside(self, size: int, work: Callable[[], Any], *, slow: bool = False) -> Any:
        """Do a bit of work at once, much of it in another thread."""
        return work() if size <= _DIRECTLY and not slow else await asyncio.to_thread(work)


def _settings(run: Served, wanted: Mapping[str, Any]) -> Any:
    if wanted and not run.keeps:
        raise Refused(422, "this run keeps no scores: its members decide each for itself", "decode", "leave it out")
    try:
        return run.settings(wanted)
    except UserError as error:
        raise unusable(error, "decode") from None


def _answer(
    run: Served, items: Sequence[Any], predictions: Sequence[Any], of: Sequence[int], kept: str | None, view: bool
) -> bytes:
    told: dict[str, Any] = {
        "run": run.name,
        "task": run.task.name,
        "predictions": [run.record(one) for one in predictions],
        "inputs": list(of),
        "kept": kept,
        "views": None,
    }
    if view:
        told["views"] = [drawn(*run.view(item, one)) for item, one in zip(items, predictions, strict=True)]
    return dump_json(told).encode("utf-8", "backslashreplace")


async def _body(request: Request, model: type[BaseModel], limits: Limits) -> dict[str, Any]:
    """The body of a request, no more of it than may be, within the time that there is."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # others a page of any origin could send unasked
        raise Refused(415, "the body is not application/json", mend="send Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "the body is packed", mend="send it as it is")
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.timeout):
            async for piece in request.stream():
                size += len(piece)
                if size > limits.body:
                    raise too_large(limits.body)
                pieces.append(piece)
    except TimeoutError:
        raise Refused(408, "the body did not arrive in time", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(499, "the client has left") from None
    return body_of(b"".join(pieces), model)


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    """A body as OpenAPI describes it; it is read by :func:`body_of`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


def _told(limits: Limits) -> dict[str, Any]:
    return {"texts": limits.texts, "characters": limits.characters, "body": limits.body, "timeout": limits.timeout}


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    raw = dump_json(value).encode("utf-8", "backslashreplace")
    return Response(raw, status, headers, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    refused = cast(Refused, error)
    headers = dict(refused.headers)
    if refused.status == 408:
        headers["Connection"] = "close"
    return _json(refused.value(), refused.status, headers)


async def _http(request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    return _json({"error": str(known.detail).lower()}, known.status_code, known.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """What no one foresaw: the server's log has its traceback, the client has not."""
    return _json({"error": "something went wrong in the server; its log says what"}, 500)
