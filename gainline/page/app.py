"""The web application: health, readiness, metrics, newest readings, the reports made so far."""

import html
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from contracts.errors import GainlineError
from gainline.page.flowstate import FlowCollector, flow_state
from gainline.page.newest import latest_route

# Reports are our own pages with inline styles and pictures; nothing else may load or run.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
REPORTS_LISTED_MAX = 500


def make_app(store: Path, *, stale_after_s: float) -> Starlette:
    """Serve one store, read-only."""
    registry = CollectorRegistry()
    registry.register(FlowCollector(store))

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        try:
            state = await run_in_threadpool(flow_state, store)
        except GainlineError as problem:
            return JSONResponse({"ready": False, "why": str(problem)}, status_code=503)
        why = state.why_not_ready(datetime.now(UTC), stale_after_s=stale_after_s)
        body = {"ready": why is None, "why": why}
        return JSONResponse(body, status_code=503 if why else 200)

    async def metrics(_request: Request) -> Response:
        body = await run_in_threadpool(generate_latest, registry)
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def index(_request: Request) -> Response:
        return HTMLResponse(_index(reports_in(store)), headers=_headers())

    async def report(request: Request) -> Response:
        known = {path.name: path for path in reports_in(store)}
        path = known.get(request.path_params["name"])
        if path is None:
            return PlainTextResponse("no such report\n", status_code=404)
        return FileResponse(path, media_type="text/html", headers=_headers())

    return Starlette(
        routes=[
            Route("/", index),
            Route("/reports/{name}", report),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            latest_route("/latest", store),
        ]
    )


def reports_in(store: Path) -> list[Path]:
    """List the reports of a store, newest first."""
    found = sorted((store / "reports").glob("*.html"), key=lambda path: path.stat().st_mtime)
    return found[::-1][:REPORTS_LISTED_MAX]


def _headers() -> dict[str, str]:
    return {"Content-Security-Policy": REPORT_POLICY, "X-Content-Type-Options": "nosniff"}


def _index(reports: list[Path]) -> str:
    rows = "".join(
        f'<li><a href="/reports/{html.escape(path.name)}">{html.escape(path.stem)}</a></li>'
        for path in reports
    )
    listed = f"<ul>{rows}</ul>" if reports else "<p>No report has been made yet.</p>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>gainline</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;"
        "padding:0 1rem;color:#1d2733}a{color:#0b6e69}</style>"
        f"<h1>gainline</h1><h2>Reports</h2>{listed}"
        '<p><a href="/readyz">Is data flowing?</a> · <a href="/metrics">Metrics</a>'
        ' · <a href="/latest">Newest readings</a></p></html>'
    )
