"""`Guard`: what every request must pass before the application sees it, as ASGI middleware."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from molscore.pipelines.limits import Limits

__all__ = ["Guard", "Refusal"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Refusal(Exception):
    """A request that goes no further: the HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Guard:
    """Reads a request's body within bounds of size and time, and hands it on whole.

    Refuses a body that is too large (413), too slow (408) or not JSON by its own account (415), and a ``Host`` that is
    not one of `hosts` (400): a page in somebody's browser could otherwise reach a server on this machine by giving its
    own name the address 127.0.0.1. None admits any host.
    """

    def __init__(self, app: App, limits: Limits, hosts: Collection[str] | None) -> None:
        self.app, self.limits, self.hosts = app, limits, hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await self._admit(scope, receive)
        except Refusal as refusal:
            await _answer(send, refusal)
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, replay, send)

    async def _admit(self, scope: Message, receive: Receive) -> bytes:
        """The body of a request that may pass; raises `Refusal`."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        host = _host_of(headers.get(b"host", b"").decode("latin-1"))
        if self.hosts is not None and host not in self.hosts:
            raise Refusal(400, "this server is not known under that Host")
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self.limits.body_bytes:
            raise Refusal(413, f"a body of more than {self.limits.body_bytes} bytes")
        try:
            body = await asyncio.wait_for(self._read(receive), self.limits.body_seconds)
        except TimeoutError:
            raise Refusal(408, f"the body took longer than {self.limits.body_seconds:g} s") from None
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if body and kind != b"application/json":
            raise Refusal(415, "the body must be JSON: set Content-Type to application/json")
        return body

    async def _read(self, receive: Receive) -> bytes:
        pieces, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "the client left before its request was whole")
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > self.limits.body_bytes:
                raise Refusal(413, f"a body of more than {self.limits.body_bytes} bytes")
            more = message.get("more_body", False)
        return b"".join(pieces)


def _host_of(header: str) -> str:
    """Host header without its port, in lower case; IPv6 addresses keep their brackets."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


async def _answer(send: Send, refusal: Refusal) -> None:
    body = json.dumps({"error": refusal.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # What is left of the body is not read: the connection is of no further use.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
