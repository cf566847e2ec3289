"""The HTTP API."""

import logging
import unicodedata
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Annotated, Any, AsyncIterator

from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints
from sqlalchemy import text

from app import items
from app.database import Database, OutcomeUnknown, Unavailable
from app.requests import RequestContext
from app.settings import Settings

log = logging.getLogger(__name__)

MAX_ID = 2**63 - 1
DEFAULT_LIMIT = 100
MAX_LIMIT = 500


class NewItem(BaseModel):
    """What a client sends; spaces around the title don't count."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=items.TITLE_LENGTH)]


class Item(BaseModel):
    """An item as stored."""

    id: int
    title: str
    created_at: datetime


def create_app(settings: Settings) -> FastAPI:
    """Builds the application; nothing is connected before it starts."""
    database = Database(
        settings.database_url,
        size=settings.pool_size,
        connect_timeout=settings.connect_timeout,
        statement_timeout=settings.statement_timeout,
        deadline=settings.request_timeout,
    )
    # A connection of its own: under load a probe must not wait in the queue,
    # or pods would leave the service just when they are needed most.
    probe = Database(
        settings.database_url,
        size=1,
        connect_timeout=settings.connect_timeout,
        statement_timeout=settings.ready_timeout,
        deadline=settings.ready_timeout,
    )

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        database.fill()
        yield
        database.close()
        probe.close()

    app = FastAPI(title="backend", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", lifespan=lifespan)
    app.state.draining = False
    app.add_middleware(RequestContext)
    _add_error_handlers(app)
    _add_health(app, probe)
    _add_items(app, database)
    return app


def _add_health(app: FastAPI, probe: Database) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        await probe.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
        return {"status": "ready"}


def _add_items(app: FastAPI, database: Database) -> None:
    @app.get("/api/items", response_model=list[Item])
    async def list_items(limit: int = Query(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)) -> Any:
        return await database.read(partial(items.newest, limit=limit))

    @app.post("/api/items", response_model=Item, status_code=201)
    async def add_item(new: NewItem) -> Any:
        _require_plain_text(new.title)
        return await database.write(partial(items.add, title=new.title))

    @app.delete("/api/items/{item_id}", status_code=204, response_class=Response)
    async def delete_item(item_id: int = Path(..., ge=1, le=MAX_ID)) -> None:
        if not await database.write(partial(items.remove, item_id=item_id)):
            raise HTTPException(404, "There is no such item.")


def _require_plain_text(title: str) -> None:
    # PostgreSQL stores neither NUL nor half of a surrogate pair.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in title):
        problem = {"loc": ["body", "title"], "msg": "control characters are not allowed", "type": "value_error"}
        raise HTTPException(422, [problem])


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> JSONResponse:
        log.warning("database unavailable: %s", error)
        detail = "The database is not available. Please try again shortly."
        return JSONResponse({"detail": detail}, status_code=503, headers={"Retry-After": "1"})

    @app.exception_handler(OutcomeUnknown)
    async def outcome_unknown(_: Request, error: OutcomeUnknown) -> JSONResponse:
        log.error("outcome of a write unknown: %s", error)
        # No Retry-After: a client that repeats the request could make the change twice.
        detail = "The database did not answer. The change may or may not have been made."
        return JSONResponse({"detail": detail}, status_code=504)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # The same members whatever pydantic's version, and never the input.
        problems = [{key: problem[key] for key in ("loc", "msg", "type")} for problem in error.errors()]
        return JSONResponse({"detail": problems}, status_code=422)
