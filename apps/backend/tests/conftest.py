import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import settings
from app.main import create_app
from tests.postgres import Postgres

ROOT = Path(__file__).parent.parent


def alembic(env, *args, cwd=ROOT, **options):
    """Starts the alembic command as the image does."""
    return subprocess.Popen(
        [sys.executable, "-m", "alembic", *args], cwd=cwd, env={"PATH": os.environ["PATH"], **env},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


@pytest.fixture(scope="session")
def server():
    postgres = Postgres()
    try:
        postgres.start()
        postgres.create_database()
        migration = alembic(postgres.env(), "upgrade", "head")
        output, _ = migration.communicate(timeout=60)
        assert migration.returncode == 0, output
        yield postgres
    finally:
        postgres.remove()


@pytest.fixture
def postgres(server):
    """The server, running, with an empty table."""
    server.query("TRUNCATE items")
    return server


@pytest.fixture
def chosen(postgres):
    """Settings that lead to the server, with short times."""
    return dataclasses.replace(
        settings.load(postgres.env()), statement_timeout=1.5, request_timeout=4, ready_timeout=1)


@pytest.fixture
def client(chosen):
    with TestClient(create_app(chosen), raise_server_exceptions=False) as client:
        yield client
