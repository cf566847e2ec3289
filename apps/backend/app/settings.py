"""Settings, read from the environment once, at start."""

import os
from dataclasses import dataclass
from typing import Mapping

from sqlalchemy.engine import URL, make_url

DRIVER = "postgresql+psycopg2"


class SettingsError(Exception):
    """Names every problem of the environment, one per line."""


@dataclass(frozen=True)
class Settings:
    """What the process needs to know; times are in seconds."""

    database_url: URL
    port: int = 8000
    log_level: str = "INFO"
    # Each connection is one of the database's max_connections (about 100 on
    # the smallest RDS classes), times the number of pods.
    pool_size: int = 5
    # How long requests are still answered after SIGTERM, each with
    # "Connection: close", before the listening socket goes away.
    drain_seconds: float = 5
    connect_timeout: int = 3
    statement_timeout: float = 5
    # Upper bound for all database work of one request, waiting included.
    request_timeout: float = 10
    # Below the timeout of a Kubernetes probe that allows for a slow start.
    ready_timeout: float = 2


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings, or raises SettingsError with all that is wrong."""
    problems: list[str] = []
    settings = Settings(
        database_url=_database_url(env, problems),
        port=_integer(env, "PORT", Settings.port, 1, 65535, problems),
        log_level=_level(env, problems),
        pool_size=_integer(env, "DB_POOL_SIZE", Settings.pool_size, 1, 100, problems),
        drain_seconds=_integer(env, "DRAIN_SECONDS", 5, 0, 300, problems),
    )
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def database_url(env: Mapping[str, str] = os.environ) -> URL:
    """Reads the database's address alone: all that a migration needs."""
    problems: list[str] = []
    url = _database_url(env, problems)
    if problems:
        raise SettingsError("\n".join(problems))
    return url


def _database_url(env: Mapping[str, str], problems: list[str]) -> URL:
    if env.get("DATABASE_URL"):
        return _from_url(env["DATABASE_URL"], problems)
    missing = [
        name
        for name in ("DB_HOST", "DB_NAME", "DB_USER", "DB_PASSWORD")
        if not env.get(name)
    ]
    if missing:
        names = ", ".join(missing)
        problems.append(f"{names} not set, want DATABASE_URL or all of DB_HOST, DB_NAME, DB_USER, DB_PASSWORD")
    query = {}
    if env.get("DB_SSLMODE"):
        query["sslmode"] = env["DB_SSLMODE"]
    if env.get("DB_SSLROOTCERT"):
        query["sslrootcert"] = env["DB_SSLROOTCERT"]
    return _verified(
        URL.create(
            DRIVER,
            username=env.get("DB_USER"),
            password=env.get("DB_PASSWORD"),
            host=env.get("DB_HOST"),
            port=_integer(env, "DB_PORT", 5432, 1, 65535, problems),
            database=env.get("DB_NAME"),
            query=query,
        )
    )


def _from_url(text: str, problems: list[str]) -> URL:
    scheme, _, rest = text.partition("://")
    if scheme not in ("postgres", "postgresql", DRIVER):
        # The text holds a password: it is never repeated in an error.
        problems.append("DATABASE_URL has another scheme, want postgresql://user:password@host:port/name")
        return URL.create(DRIVER)
    try:
        return _verified(make_url(f"{DRIVER}://{rest}"))
    except Exception:
        problems.append("DATABASE_URL can't be read, want postgresql://user:password@host:port/name")
        return URL.create(DRIVER)


def _verified(url: URL) -> URL:
    # Without TLS, or with a certificate that nobody checks, only on request.
    if "sslmode" in url.query:
        return url
    return url.update_query_dict({"sslmode": "verify-full"})


def _integer(env: Mapping[str, str], name: str, default: int, low: int, high: int, problems: list[str]) -> int:
    text = env.get(name)
    if not text:
        return default
    if text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    problems.append(f"{name} is {text}, want {low} to {high}")
    return default


def _level(env: Mapping[str, str], problems: list[str]) -> str:
    level = env.get("LOG_LEVEL", Settings.log_level).upper()
    if level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        return level
    problems.append(f"LOG_LEVEL is {level.lower()}, want debug, info, warning or error")
    return Settings.log_level
