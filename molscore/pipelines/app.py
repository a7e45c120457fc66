"""The HTTP application: four questions and REINVENT4's, each answered by a `Service`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from molscore import __version__
from molscore.errors import LimitError, MolscoreError
from molscore.pipelines.guard import Guard
from molscore.pipelines.reinvent import answer_rest
from molscore.pipelines.schemas import Drawn, Judged, Problem, RestAnswer, shapes
from molscore.pipelines.service import Deadline, Service
from molscore.screening import generate
from molscore.screening.samplers import Sampling

__all__ = ["LOOPBACK", "create_app"]

#: Names under which a server on this machine alone is known.
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_GRACE = 5.0  # seconds past the deadline that work has to notice it
_LONGEST_REASON = 300
_REFUSALS = {
    400: "a body that is not JSON, or a Host that is not known",
    408: "a body that came too slowly",
    413: "a body that is too large",
    415: "a body that is not called JSON",
    422: "JSON of another shape, or a wish that cannot be met",
    503: "too many requests, or one that took too long",
}
_PROBLEMS = {status: {"model": Problem, "description": text} for status, text in _REFUSALS.items()}


class _Desk:
    """Where requests wait: one is worked on at a time, and what comes when the queue is full is sent away."""

    def __init__(self, service: Service) -> None:
        self.service, self.limits = service, service.limits
        self._executor: ThreadPoolExecutor | None = None
        self._held = 0

    async def work(self, job: Callable[[Deadline], Any]) -> Any:
        """What the job returns; raises `LimitError` for a full queue and for a job that is not done in time."""
        if self._held > self.limits.waiting:
            raise LimitError("too many requests are waiting; try again later")
        deadline = Deadline(self.limits.seconds)
        self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="molscore")
        future = self._executor.submit(self._on_time, job, deadline)
        self._held += 1
        future.add_done_callback(self._release(asyncio.get_running_loop()))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.limits.seconds + _GRACE)
        except TimeoutError:
            raise LimitError(f"the request took longer than {self.limits.seconds:g} s") from None

    def _on_time(self, job: Callable[[Deadline], Any], deadline: Deadline) -> Any:
        deadline.check()
        return job(deadline)

    def _release(self, loop: asyncio.AbstractEventLoop) -> Callable[[Any], None]:
        def released() -> None:
            self._held -= 1

        def call(_: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(released)

        return call

    def close(self) -> None:
        """Stop the work, wait for its end, stop the processes. The desk can be used again."""
        self.service.stop()
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None
        self.service.close()


def create_app(service: Service, hosts: Collection[str] | None = LOOPBACK) -> FastAPI:
    """The application; `hosts` are the names under which it may be asked, None for any."""
    desk = _Desk(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(
        title="molscore",
        version=__version__,
        summary="Log-likelihoods of molecules, and molecules.",
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.add_middleware(Guard, limits=service.limits, hosts=hosts)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(MolscoreError, _impossible)
    app.add_exception_handler(Exception, _broken)
    _add_facts(app, service)
    _add_work(app, desk)
    return app


def _add_facts(app: FastAPI, service: Service) -> None:
    started = time.monotonic()
    facts = service.info()

    @app.get("/health", summary="Whether the server is there")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "model": service.model.name, "seconds": round(time.monotonic() - started, 1)}

    @app.get("/info", summary="Facts about the model, and the limits of the server")
    async def info() -> dict[str, Any]:
        return facts


def _add_work(app: FastAPI, desk: _Desk) -> None:
    service = desk.service
    asked = shapes(service.limits, service.model.max_atoms)

    @app.post("/log-likelihood", responses=_PROBLEMS, summary="Judge molecules")
    async def log_likelihood(request: asked.log_likelihood) -> Judged:
        items = [m if isinstance(m, str) else (m.numbers, m.positions, m.name) for m in request.molecules]
        rows = await desk.work(lambda deadline: service.judge(items, request.resolution, deadline))
        return Judged(model=service.model.name, rows=rows)

    @app.post("/generate", responses=_PROBLEMS, summary="Draw molecules")
    async def draw(request: asked.generate) -> Drawn:
        fields = {**request.model_dump(), "resolution": request.resolution or service.resolution}
        sampling = Sampling(steps=fields.pop("steps"), sampler=fields.pop("sampler"))
        wish = generate.Request(sampling=sampling, **fields)
        found = await desk.work(lambda deadline: service.generate(wish, deadline))
        return Drawn(model=service.model.name, candidates=found)

    @app.post("/reinvent", responses=_PROBLEMS, summary="Judge SMILES for the REST component of REINVENT4")
    async def reinvent(
        queries: asked.queries,
        predictor_id: asked.predictor = "percentile",
        predictor_version: str = Query("", description="any text: REINVENT4 sends one"),
        inp_fmt: str = Query("smiles", pattern="^smiles$"),
    ) -> RestAnswer:
        items = [query.input_string for query in queries]
        rows = await desk.work(lambda deadline: service.judge(items, None, deadline))
        return RestAnswer(**answer_rest([query.query_id for query in queries], rows, predictor_id))


def _reason(status: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
    return JSONResponse({"error": line}, status, headers)


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _reason(400, "the body is not JSON")
    where = ".".join(str(part) for part in first["loc"])
    return _reason(422, f"{where}: {first['msg']}")


async def _refused(_: Request, error: HTTPException) -> JSONResponse:
    return _reason(error.status_code, str(error.detail), error.headers)


async def _impossible(_: Request, error: MolscoreError) -> JSONResponse:
    if isinstance(error, LimitError):
        return _reason(503, str(error), {"Retry-After": "5"})
    return _reason(422, str(error))


async def _broken(_: Request, __: Exception) -> JSONResponse:
    return _reason(500, "the server has a fault; its log says which")
