"""`/docs`: the REST interface as a plain page, made from its own description.

FastAPI's pages load scripts from elsewhere, which our policy forbids and an offline machine lacks.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Lookout: HTTP interface</title>
<h1>Lookout: HTTP interface</h1>
<p>Machine-readable: <a href="/openapi.json">/openapi.json</a>. The websocket is
<code>/v1/realtime</code>.</p>
<dl>{entries}</dl>
</html>"""


def add_docs(app: FastAPI) -> None:
    """Serve the page at `/docs`."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE.format(entries="".join(_entries(app.openapi()))))


def _entries(schema: dict[str, Any]) -> list[str]:
    return [
        f"<dt><code>{method.upper()} {escape(path)}</code></dt>"
        f"<dd>{escape(operation.get('description', operation.get('summary', '')))}</dd>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
