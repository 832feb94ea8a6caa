"""The server of the review page, on the loopback address, for the person who has its token.

Any web page that is open on this machine can make the browser send requests to this server. A request is therefore
accepted only if it names this server as its host, contains the token, and does not come from a page of another origin.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any, TypedDict
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from goldvein.errors import InputError
from goldvein.report.page import allow_only, load_template
from goldvein.report.thumbnails import compress
from goldvein.review.review import Review, State
from goldvein.runs.decisions import ConflictError

ADDRESS = "127.0.0.1"  # other machines cannot connect
MOST_BODY = 65_536  # most bytes of a request
MOST_PICTURE = 1_500_000  # most bytes of a picture
HEADERS = {
    "Cache-Control": "no-store",  # rows and decisions do not stay in the browser's cache
    "Cross-Origin-Opener-Policy": "same-origin",  # another page gets no handle on this window
    "Cross-Origin-Resource-Policy": "same-origin",  # another page cannot embed the pictures
    "Referrer-Policy": "no-referrer",  # the address contains the token
    "X-Content-Type-Options": "nosniff",  # the browser keeps to the type that is declared
    "X-Frame-Options": "DENY",  # another page cannot show this one in a frame and catch its clicks
}


class Changes(TypedDict):
    """Number of the last event, and the new states of suspects by their position."""

    last: int
    changes: list[tuple[int, State]]


def listen(port: int = 0) -> socket.socket:
    """Return a listening socket on the loopback address.

    Parameters
    ----------
    port : int
        0 chooses a free port.

    Raises
    ------
    InputError
        If the port is in use.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart can use the same port at once
    try:
        listening.bind((ADDRESS, port))
        listening.listen()  # requests before the start of the server wait in the queue
    except OSError as error:
        listening.close()
        raise InputError(
            f"--port {port} cannot be used ({error.strerror}): choose another port, or 0 for a free one"
        ) from error
    return listening


def serve(review: Review, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    review : Review
    listening : socket
        From :func:`listen`.
    ready : callable
        Called once with the address and its token, before the first request is answered.
    """
    token, port = secrets.token_urlsafe(32), listening.getsockname()[1]
    app = make_app(review, token, port)
    # two seconds: an open connection of a page must not delay Ctrl-C for longer
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    ready(f"http://{ADDRESS}:{port}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])


def make_app(review: Review, token: str, port: int) -> ASGIApp:
    """Return the application that serves a review, protected by :class:`Guard`."""

    def position(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(review):
            raise HTTPException(404, "the plan does not contain this row")
        return value

    async def page(request: Request) -> Response:
        # as a module, because the policy needs the text of the inline style and script
        rendered: Any = load_template("review.html").make_module()
        policy = (
            f"default-src 'none'; img-src 'self'; connect-src 'self'; style-src {allow_only(rendered.style)}; "
            f"script-src {allow_only(rendered.script)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        response = HTMLResponse(str(rendered), headers={"Content-Security-Policy": policy})
        # all servers on this address share their cookies, so the name of the cookie contains the port
        # scripts cannot read the cookie, and other sites cannot make the browser send it
        response.set_cookie(f"goldvein-{port}", token, httponly=True, samesite="strict")
        return response

    async def start(request: Request) -> Response:
        last, states = review.states()
        name = str(review.run.folder.resolve().name)
        return JSONResponse({"name": name, "classes": review.classes, "last": last, "states": states})

    async def card(request: Request) -> Response:
        return JSONResponse(review.question(position(request.path_params["k"])))

    def picture(request: Request) -> Response:  # not async: decoding then runs in a thread
        try:
            kind, content = compress(review.picture(position(request.path_params["k"])), MOST_PICTURE)
        except InputError as error:
            return PlainTextResponse(str(error), status_code=404)
        return Response(content, media_type=kind)

    async def changes(request: Request) -> Response:
        return JSONResponse(_changes(request.query_params.get("since", "0")))

    async def decide(request: Request) -> Response:
        body = await _read_body(request)
        k = position(body.get("position"))
        try:
            client, seen = _read_client(body), int(body.get("seen", 0))
            review.decide(k, str(body.get("action")), body.get("label"), client=client, seen=seen)
        except ConflictError:
            return JSONResponse({"conflict": True, **_changes(body.get("since"))}, status_code=409)
        return JSONResponse(_changes(body.get("since")))

    async def undo(request: Request) -> Response:
        body = await _read_body(request)
        undone = review.undo(_read_client(body))
        return JSONResponse({"undone": undone, **_changes(body.get("since"))})

    def _changes(since: Any) -> Changes:
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
    handlers: dict[Any, Any] = dict.fromkeys((ValueError, TypeError, OverflowError), _answer_error)
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, port)


class Guard:
    """Accepts a request only from the page of this server, or with the token in its address.

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
        """Return why a request is refused, or None."""
        headers, host = request.headers, request.headers.get("host", "")
        if host not in self.hosts:  # DNS rebinding: another name may lead to this address
            return "the request names another host"
        has_token = request.url.path == "/" and self._is_token(request.query_params.get("token"))
        if not has_token and not self._is_token(request.cookies.get(f"goldvein-{self.port}")):
            return "the token is missing; open the address that goldvein review printed"
        if request.method not in ("GET", "POST"):
            return "only GET and POST are accepted"
        origin = headers.get("origin")  # browsers send it with every POST
        if (origin is not None or request.method == "POST") and urlsplit(origin or "")[:2] != ("http", host):
            return "the request comes from another origin"
        # the address with the token may be opened from anywhere; old browsers do not send this header
        if not has_token and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "the request comes from another site"
        return None

    def _is_token(self, text: str | None) -> bool:
        # takes as long for any wrong token, so that its start cannot be guessed from the time
        return text is not None and secrets.compare_digest(text.encode(), self.token.encode())


async def _read_body(request: Request) -> dict[str, Any]:
    # a form of another page cannot send this type
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415, "send JSON")
    # a request that does not state its length is refused, too
    if int(request.headers.get("content-length", MOST_BODY + 1)) > MOST_BODY:
        raise HTTPException(413, f"send at most {MOST_BODY} bytes")
    body = await request.json()
    if not isinstance(body, dict):
        raise HTTPException(400, "send a JSON object")
    return body


def _read_client(body: dict[str, Any]) -> str:
    client = body.get("client")
    if not isinstance(client, str) or not 1 <= len(client) <= 100:
        raise HTTPException(400, "send the name of the client, 1 to 100 characters")
    return client


def _answer_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)
