"""The HTTP application: four questions and REINVENT4's, each answered by a `Service`; and the server that runs it."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from molscore import __version__
from molscore.errors import InputError, LimitError, MolscoreError
from molscore.integrations.reinvent import answer_rest
from molscore.integrations.server.schemas import Drawn, Judged, Problem, RestAnswer, shapes
from molscore.integrations.server.service import Deadline, Service
from molscore.screening import generate
from molscore.screening.samplers import Sampling

__all__ = ["LOOPBACK", "create_app", "serve"]

#: Names under which a server on this machine alone is known.
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_CONNECTIONS = 64  # open at once; what comes above is answered 503
_GRACEFUL_SECONDS = 5
_LONGEST_REASON = 300
_REFUSALS = {
    400: "a body that is not JSON",
    413: "a body that is too large",
    422: "JSON of another shape, or a wish that cannot be met",
    503: "too many requests, or one that took too long",
}
_PROBLEMS = {status: {"model": Problem, "description": text} for status, text in _REFUSALS.items()}


class _Queue:
    """One request is worked on at a time; what comes when too many wait is sent away."""

    def __init__(self, service: Service) -> None:
        self.service, self.limits = service, service.limits
        self._turn, self._held = asyncio.Lock(), 0

    async def work(self, job: Callable[[Deadline], Any]) -> Any:
        """What the job returns, which looks at its deadline itself; raises `LimitError` for a full queue."""
        if self._held > self.limits.waiting:
            raise LimitError("too many requests are waiting; try again later")
        deadline = Deadline(self.limits.seconds)
        self._held += 1
        try:
            async with self._turn:
                deadline.check()
                return await run_in_threadpool(job, deadline)
        finally:
            self._held -= 1

    async def close(self) -> None:
        """Bring the work to an early end, then stop the processes."""
        self.service.stop()
        async with self._turn:
            self.service.close()


def create_app(service: Service, hosts: Collection[str] | None = LOOPBACK) -> FastAPI:
    """The application. `hosts` are the names under which it may be asked, None for any: a page in somebody's browser
    could otherwise reach a server on this machine by giving its own name the address 127.0.0.1.
    """
    queue = _Queue(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await queue.close()

    app = FastAPI(
        title="molscore",
        version=__version__,
        summary="Log-likelihoods of molecules, and molecules.",
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        max_body_size=service.limits.body_bytes,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["*"] if hosts is None else list(hosts))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(MolscoreError, _impossible)
    app.add_exception_handler(Exception, _broken)
    _add_facts(app, service)
    _add_work(app, queue)
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


def _add_work(app: FastAPI, queue: _Queue) -> None:
    service = queue.service
    asked = shapes(service.limits, service.model.max_atoms, service.like is not None)

    @app.post("/log-likelihood", responses=_PROBLEMS, summary="Judge molecules")
    async def log_likelihood(request: asked.log_likelihood) -> Judged:
        items = [m if isinstance(m, str) else (m.numbers, m.positions, m.name) for m in request.molecules]
        rows = await queue.work(lambda deadline: service.judge(items, request.resolution, deadline))
        return Judged(model=service.model.name, rows=rows)

    @app.post("/generate", responses=_PROBLEMS, summary="Draw molecules")
    async def draw(request: asked.generate) -> Drawn:
        fields = {**request.model_dump(), "resolution": request.resolution or service.resolution}
        sampling = Sampling(steps=fields.pop("steps"), sampler=fields.pop("sampler"))
        wish = generate.Request(sampling=sampling, **fields)
        found = await queue.work(lambda deadline: service.generate(wish, deadline))
        return Drawn(model=service.model.name, candidates=found)

    @app.post("/reinvent", responses=_PROBLEMS, summary="Judge SMILES for the REST component of REINVENT4")
    async def reinvent(
        queries: asked.queries,
        predictor_id: asked.predictor = "percentile",
        predictor_version: str = Query("", description="any text: REINVENT4 sends one"),
        inp_fmt: str = Query("smiles", pattern="^smiles$"),
    ) -> RestAnswer:
        items = [query.input_string for query in queries]
        rows = await queue.work(lambda deadline: service.judge(items, None, deadline))
        return RestAnswer(**answer_rest([query.query_id for query in queries], rows, predictor_id))


def _reason(status: int, text: str, **options: Any) -> JSONResponse:
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
    return JSONResponse({"error": line}, status, **options)


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _reason(400, "the body is not JSON")
    where = ".".join(str(part) for part in first["loc"])
    return _reason(422, f"{where}: {first['msg']}")


async def _refused(_: Request, error: HTTPException) -> JSONResponse:
    return _reason(error.status_code, str(error.detail), headers=error.headers)


async def _impossible(_: Request, error: MolscoreError) -> JSONResponse:
    if isinstance(error, LimitError):
        return _reason(503, str(error), headers={"Retry-After": "5"})
    return _reason(422, str(error))


async def _broken(_: Request, __: Exception) -> JSONResponse:
    return _reason(500, "the server has a fault; its log says which")


def serve(service: Service, host: str = "127.0.0.1", port: int = 8000, say: Callable[[str], None] = print) -> None:
    """Answer requests until SIGINT or SIGTERM, then finish and return. Port 0 is any free one.

    Raises `InputError` for an address that cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on {host}, port {port}: {error}") from None
    with listening:
        local = host in (*LOOPBACK, "::1")
        app = create_app(service, LOOPBACK if local else None)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        say(f"{service.model.name} on {address}; stop it with Ctrl-C")
        if not local:
            say("warning: anyone who can reach this address can use it; there is no password")
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        config = uvicorn.Config(
            app,
            log_config=None,  # uvicorn's own writes to standard output
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
            ws="none",
        )
        # uvicorn raises the signal again once it has shut down; that is the wished end, and no fault.
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    say("stopped")
