"""An app whose own paths are routed as Starlette does it, with some that no route leads to."""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.routing import Route


async def tell(request: Request) -> JSONResponse:
    # Mounted apps see the rest of the path: the whole one is what came.
    return JSONResponse({"upstream": "backend", "raw": request.scope["raw_path"].decode("latin-1"), "path": request.scope["path"]})


async def private(_: Request) -> JSONResponse:
    return JSONResponse({"upstream": "private"})


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
everything = [Route("/{rest:path}", private, methods=["GET", "POST"])]
for path in "/metrics", "/internal", "/apix", "/api/admin":
    app.mount(path, Starlette(routes=everything))
for path in "/healthz", "/readyz":
    app.add_api_route(path, private)
app.add_route("/{rest:path}", tell, methods=["GET", "POST", "OPTIONS"])

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
