"""The console's files, served so that a browser fetches each once.

/console/                   the page itself, asked for anew each time
/console/RELEASE/js/...     all that it loads: RELEASE is a hash of it, so what an address gives
                            never changes, and modules find each other by relative paths
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from shared.errors import NotFound

FOLDER = Path(__file__).parent
SERVED = ("icon.svg", "css/*.css", "js/*.js", "vendor/*.js")
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def served_files() -> Mapping[str, bytes]:
    """Path below the console -> content, of all that the page loads."""
    paths = sorted(path for pattern in SERVED for path in FOLDER.glob(pattern))
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}


@cache
def release() -> str:
    """Twelve hexadecimal digits that change with any of the files."""
    whole = hashlib.sha256()
    for path, content in served_files().items():
        whole.update(f"{path} {len(content)} ".encode() + content)
    return whole.hexdigest()[:12]


@cache
def front_page() -> str:
    """``index.html`` with the release in its addresses; modules are asked for at once, not in a chain."""
    modules = [path for path in served_files() if path.endswith(".js") and path != "js/theme.js"]
    ahead = "".join(f'    <link rel="modulepreload" href="{path}">\n' for path in modules)
    page = (FOLDER / "index.html").read_text().replace("  </head>", f"{ahead}  </head>")
    return re.sub(r'(href|src)="(?=\w)', rf'\1="{release()}/', page)


def install(app: FastAPI) -> None:
    """Serve the console, and lead there from the front door."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get("/console")
    def front() -> Response:
        return RedirectResponse("/console/")

    @router.get("/favicon.ico")
    def icon() -> Response:
        """What browsers ask for beside pages that name none."""
        return Response(served_files()["icon.svg"], media_type="image/svg+xml")

    @router.get("/console/")
    def page(request: Request) -> Response:
        headers = {"ETag": f'"{release()}"', "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(front_page(), headers=headers, media_type="text/html")

    @router.get("/console/{version}/{path:path}")
    def file(version: str, path: str) -> Response:
        content = served_files().get(path) if version == release() else None
        if content is None:
            raise NotFound("file", path)
        kind = mimetypes.guess_type(path)[0]
        return Response(content, headers={"Cache-Control": FOR_EVER}, media_type=kind)

    app.include_router(router)
