"""The review page: a server on the loopback address, for the one person who was given its token.

Whoever can open a web page on this machine can make a browser send requests to it, so a request counts only if it names
this server as its host, carries the token, and does not come from a page of another origin.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from goldvein.errors import InputError
from goldvein.report.page import only, template
from goldvein.report.thumbnails import encode
from goldvein.review.review import Review
from goldvein.runs.decisions import ConflictError

ADDRESS = "127.0.0.1"
MOST_BODY = 65_536  # bytes of a request
MOST_PICTURE = 1_500_000  # bytes of a picture
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def listen(port: int = 0) -> socket.socket:
    """A socket on the loopback address.

    Parameters
    ----------
    port : int
        0: any that is free.

    Raises
    ------
    InputError
        If the port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
        listening.listen()  # whoever comes before the server runs waits in the queue
    except OSError as error:
        listening.close()
        raise InputError(f"--port {port} cannot be used ({error.strerror}): choose another, or 0 for any") from error
    return listening


def serve(review: Review, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    review : Review
    listening : socket
        From :func:`listen`.
    ready : callable
        Given the address with the token, once, before the first request is answered.
    """
    token, port = secrets.token_urlsafe(32), listening.getsockname()[1]
    app = make_app(review, token, port)
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    ready(f"http://{ADDRESS}:{port}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])


def make_app(review: Review, token: str, port: int) -> ASGIApp:
    """The pages and answers of a review, behind :class:`Guard`."""

    def position(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(review):
            raise HTTPException(404, "the plan has no such row")
        return value

    async def page(request: Request) -> Response:
        made: Any = template("review.html").make_module()
        policy = (
            f"default-src 'none'; img-src 'self'; connect-src 'self'; style-src {only(made.style)}; "
            f"script-src {only(made.script)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        response = HTMLResponse(str(made), headers={"Content-Security-Policy": policy})
        # other servers of this machine share the cookies of the address, so the name tells them apart
        response.set_cookie(f"goldvein-{port}", token, httponly=True, samesite="strict")
        return response

    async def start(request: Request) -> Response:
        last, states = review.states()
        name = str(review.run.folder.resolve().name)
        return JSONResponse({"name": name, "classes": review.classes, "last": last, "states": states})

    async def card(request: Request) -> Response:
        return JSONResponse(review.card(position(request.path_params["k"])))

    def picture(request: Request) -> Response:
        try:
            kind, content = encode(review.picture(position(request.path_params["k"])), MOST_PICTURE)
        except InputError as error:
            return PlainTextResponse(str(error), status_code=404)
        return Response(content, media_type=kind)

    async def changes(request: Request) -> Response:
        return JSONResponse(_changed(request.query_params.get("since", "0")))

    async def decide(request: Request) -> Response:
        asked = await _body(request)
        k = position(asked.get("position"))
        try:
            client, seen = _client(asked), int(asked.get("seen", 0))
            review.decide(k, str(asked.get("action")), asked.get("label"), client=client, seen=seen)
        except ConflictError:
            return JSONResponse({"conflict": True, **_changed(asked.get("since"))}, status_code=409)
        return JSONResponse(_changed(asked.get("since")))

    async def undo(request: Request) -> Response:
        asked = await _body(request)
        undone = review.undo(_client(asked))
        return JSONResponse({"undone": undone, **_changed(asked.get("since"))})

    def _changed(since: Any) -> dict[str, Any]:
        last, rows = review.changes(int(since or 0))
        return {"last": last, "changes": rows}

    routes = [
        Route("/", page),
        Route("/start", start),
        Route("/card/{k:int}", card),
        Route("/picture/{k:int}", picture),
        Route("/changes", changes),
        Route("/decide", decide, methods=["POST"]),
        Route("/undo", undo, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = dict.fromkeys((ValueError, TypeError, OverflowError), _told)
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, port)


class Guard:
    """Let a request through only if it comes from the page of this server, or brings the token in its address.

    Parameters
    ----------
    app : ASGI application
    token : str
    port : int
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token, self.port = app, token, port
        self.hosts = {f"{ADDRESS}:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        why = self.refusal(Request(scope))
        answer = self.app if why is None else PlainTextResponse(f"refused: {why}\n", status_code=403)
        await answer(scope, receive, with_headers)

    def refusal(self, request: Request) -> str | None:
        """Why a request is refused, or None."""
        headers, host = request.headers, request.headers.get("host", "")
        if host not in self.hosts:
            return "another host is meant"
        first = request.url.path == "/" and self._is_token(request.query_params.get("token"))
        if not first and not self._is_token(request.cookies.get(f"goldvein-{self.port}")):
            return "the token is missing; open the address that goldvein review printed"
        if request.method not in ("GET", "POST"):
            return "only GET and POST are answered"
        origin = headers.get("origin")
        if (origin is not None or request.method == "POST") and urlsplit(origin or "")[:2] != ("http", host):
            return "it comes from another origin"
        if not first and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "it comes from another site"
        return None

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415, "send JSON")
    if int(request.headers.get("content-length", MOST_BODY + 1)) > MOST_BODY:
        raise HTTPException(413, "too much")
    asked = await request.json()
    if not isinstance(asked, dict):
        raise HTTPException(400, "send an object")
    return asked


def _client(asked: dict[str, Any]) -> str:
    client = asked.get("client")
    if not isinstance(client, str) or not 1 <= len(client) <= 100:
        raise HTTPException(400, "say which client you are")
    return client


def _told(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)
