"""Run the HTTP application: one process, on this machine alone unless told otherwise, until it is told to stop."""

import logging
import signal
import socket
from collections.abc import Callable

import uvicorn

from molscore.errors import InputError
from molscore.pipelines.app import LOOPBACK, create_app
from molscore.pipelines.service import Service

__all__ = ["serve"]

_CONNECTIONS = 64  # open at once; what comes above is answered 503
_GRACEFUL_SECONDS = 5


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
