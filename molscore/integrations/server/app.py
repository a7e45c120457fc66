"""The HTTP application: four questions and REINVENT4's, each answered by a `Service`; and the server that runs it."""

import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, Request
from fastapi import Query as Parameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from molscore import __version__
from molscore.errors import InputError, LimitError, MolscoreError
from molscore.integrations.reinvent import VALUES, WITH_REFERENCES, answer_rest
from molscore.integrations.server.schemas import (
    Drawn,
    GenerateRequest,
    Geometry,
    Judged,
    LogLikelihoodRequest,
    Problem,
    Query,
    RestAnswer,
)
from molscore.integrations.server.service import Service
from molscore.screening import generate

__all__ = ["LOOPBACK", "create_app", "serve"]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names under which a server on this machine alone is known."""

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


def create_app(service: Service, hosts: Collection[str] | None = LOOPBACK) -> FastAPI:
    """The application. `hosts` are the names under which it may be asked, None for any: a page in somebody's browser
    could otherwise reach a server on this machine by giving its own name the address 127.0.0.1.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

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
    for kind in (RequestValidationError, HTTPException, MolscoreError, Exception):
        app.add_exception_handler(kind, _refusal)
    started, facts = time.monotonic(), service.info()

    @app.get("/health", summary="Whether the server is there")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "model": service.model.name, "seconds": round(time.monotonic() - started, 1)}

    @app.get("/info", summary="Facts about the model, and the limits of the server")
    async def info() -> dict[str, Any]:
        return facts

    @app.post("/log-likelihood", responses=_PROBLEMS, summary="Judge molecules")
    def log_likelihood(request: LogLikelihoodRequest) -> Judged:
        items = [(m.numbers, m.positions, m.name) if isinstance(m, Geometry) else m for m in request.molecules]
        rows = service.work(lambda deadline: service.judge(items, request.resolution, deadline))
        return Judged(model=service.model.name, rows=rows, note=service.note(request.resolution))

    @app.post("/generate", responses=_PROBLEMS, summary="Draw molecules")
    def draw(request: GenerateRequest) -> Drawn:
        asked = {**request.model_dump(), "resolution": request.resolution or service.resolution}
        if "steps" not in request.model_fields_set:
            asked["steps"] = min(request.steps, service.limits.steps)
        wish = generate.Request.of(**asked)
        return Drawn(model=service.model.name, candidates=service.work(lambda left: service.generate(wish, left)))

    @app.post("/reinvent", responses=_PROBLEMS, summary="Judge SMILES for the REST component of REINVENT4")
    def reinvent(
        request: Request,
        queries: list[Query],
        predictor_id: Literal[(*VALUES, *WITH_REFERENCES)] = "percentile",
        predictor_version: Annotated[str, Parameter(description="any text: REINVENT4 sends one")] = "",
        inp_fmt: Literal["smiles"] = "smiles",
    ) -> RestAnswer:
        if unknown := sorted(set(request.query_params) - {"predictor_id", "predictor_version", "inp_fmt"}):
            raise InputError(f"unknown parameter {unknown[0]!r}: there are predictor_id, predictor_version and inp_fmt")
        if predictor_id in WITH_REFERENCES and service.like is None:
            raise InputError(f"predictor_id: a server without references has {', '.join(VALUES)}, not {predictor_id}")
        if predictor_id == "percentile" and (note := service.note(None)):
            raise InputError(f"predictor_id: {note}")
        items = [query.input_string for query in queries]
        rows = service.work(lambda deadline: service.judge(items, None, deadline))
        return RestAnswer(**answer_rest([query.query_id for query in queries], rows, predictor_id))

    return app


async def _refusal(_: Request, error: Exception) -> JSONResponse:
    """Any error as a status and one line of JSON."""
    status, reason, headers = 500, "the server has a fault; its log says which", None
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        status, reason = 422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        if first["type"] == "json_invalid":
            status, reason = 400, "the body is not JSON"
        elif isinstance(error.body, bytes):
            reason = "the body must be JSON, and called so by the header Content-Type: application/json"
    elif isinstance(error, HTTPException):
        status, reason, headers = error.status_code, str(error.detail), error.headers
    elif isinstance(error, LimitError):
        status, reason, headers = 503, str(error), {"Retry-After": "5"}
    elif isinstance(error, MolscoreError):
        status, reason = 422, str(error)
    line = " ".join(reason.split())
    line = line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
    return JSONResponse({"error": line}, status, headers=headers)


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
