import re
import shutil
import time

import pytest
from fastapi.testclient import TestClient

from app.items import items
from app.main import create_app
from tests.conftest import ROOT, alembic
from tests.test_outages import wait_for


@pytest.fixture
def unmigrated(postgres):
    postgres.query("DROP TABLE items, alembic_version")
    yield postgres
    postgres.query("DROP TABLE IF EXISTS items, alembic_version")
    finish(alembic(postgres.env(), "upgrade", "head"))


def finish(process):
    """Waits for a migration and returns what it printed."""
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return output


def test_migrations_that_collide_wait_for_each_other(unmigrated):
    processes = [alembic(unmigrated.env(), "upgrade", "head") for _ in range(4)]
    outputs = [finish(process) for process in processes]
    assert sum("Running upgrade" in output for output in outputs) == 1
    assert unmigrated.query("SELECT version_num FROM alembic_version") == [("0001",)]


def test_migration_works_by_url_with_a_percent_in_the_password(unmigrated):
    host = f"localhost:{unmigrated.port}"
    url = f"postgresql://app_admin:s3cret%25%2F%3A%40@{host}/app?sslmode=verify-full&sslrootcert={unmigrated.ca_file}"
    finish(alembic({"DATABASE_URL": url}, "upgrade", "head"))
    assert unmigrated.query("SELECT count(*) FROM items") == [(0,)]


def test_migrations_go_down_and_up_again(postgres):
    finish(alembic(postgres.env(), "downgrade", "base"))
    assert postgres.query("SELECT to_regclass('items')") == [(None,)]
    finish(alembic(postgres.env(), "upgrade", "head"))
    assert postgres.query("SELECT count(*) FROM items") == [(0,)]


def test_migrations_and_code_agree_on_the_table(postgres):
    columns = postgres.query(
        "SELECT column_name, character_maximum_length, is_nullable FROM information_schema.columns"
        " WHERE table_name = 'items' ORDER BY ordinal_position")
    assert columns == [
        (column.name, getattr(column.type, "length", None), "YES" if column.nullable else "NO")
        for column in items.columns
    ]


def test_failed_migration_says_why_in_its_last_line(unmigrated):
    unmigrated.query("CREATE TABLE items ()")
    for env, reason in (
        ({"DB_HOST": "localhost"}, "DB_NAME, DB_USER, DB_PASSWORD not set"),
        (unmigrated.env(DB_PASSWORD="wrong"), "password authentication failed"),
        (unmigrated.env(), 'relation "items" already exists'),
    ):
        migration = alembic(env, "upgrade", "head")
        output, _ = migration.communicate(timeout=60)
        assert migration.returncode != 0
        assert reason in output.splitlines()[-1]
        assert "Traceback" not in output


@pytest.fixture
def newer(tmp_path):
    """Makes a newer image: the same files, and a migration that runs the SQL."""
    def make(sql):
        for folder in ("app", "migrations"):
            shutil.copytree(ROOT / folder, tmp_path / folder)
        shutil.copy(ROOT / "alembic.ini", tmp_path)
        (tmp_path / "migrations/versions/0002_newer.py").write_text(
            'from alembic import op\n\nrevision, down_revision = "0002", "0001"\n\n\n'
            f"def upgrade():\n    op.execute({sql!r})\n\n\n"
            'def downgrade():\n    op.drop_column("items", "note")\n')
        return tmp_path
    return make


def test_older_image_succeeds_on_a_newer_schema_and_serves(postgres, chosen, newer):
    image = newer("ALTER TABLE items ADD COLUMN note text NOT NULL DEFAULT 'none'")
    finish(alembic(postgres.env(), "upgrade", "head", cwd=image))
    try:
        postgres.query("INSERT INTO items (title, note) VALUES ('newer', 'kept')")
        assert "the database is at revision 0002, which this image doesn't have: nothing is changed" in finish(
            alembic(postgres.env(), "upgrade", "head"))
        assert postgres.query("SELECT version_num, note FROM alembic_version, items") == [("0002", "kept")]
        with TestClient(create_app(chosen)) as client:
            assert client.post("/api/items", json={"title": "older"}).status_code == 201
            assert [item["title"] for item in client.get("/api/items").json()] == ["older", "newer"]
        # Forward again: the newer image finds its own schema.
        assert "Running upgrade" not in finish(alembic(postgres.env(), "upgrade", "head", cwd=image))
    finally:
        finish(alembic(postgres.env(), "downgrade", "0001", cwd=image))


def test_older_image_refuses_to_take_a_newer_schema_down(postgres, newer):
    image = newer("ALTER TABLE items ADD COLUMN note text")
    finish(alembic(postgres.env(), "upgrade", "head", cwd=image))
    try:
        down = alembic(postgres.env(), "downgrade", "base")
        assert "Can't locate revision" in down.communicate(timeout=60)[0]
        assert down.returncode != 0
        assert postgres.query("SELECT version_num FROM alembic_version") == [("0002",)]
    finally:
        finish(alembic(postgres.env(), "downgrade", "0001", cwd=image))


def test_killed_migration_lets_go_of_its_locks(postgres, newer):
    image = newer("LOCK TABLE items; SELECT pg_sleep(120)")
    migration = alembic(postgres.env(), "upgrade", "head", cwd=image)
    try:
        wait_for(lambda: postgres.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'migration' AND query LIKE %s", "LOCK%"))
    finally:
        migration.kill()
        migration.communicate()
    start = time.monotonic()
    postgres.query("INSERT INTO items (title) VALUES ('served again')")
    assert time.monotonic() - start < 10
    assert postgres.query("SELECT version_num FROM alembic_version") == [("0001",)]


def test_migration_does_not_wait_for_another_without_end(postgres, newer):
    image = newer("SELECT 1")
    env = image / "migrations/env.py"
    text = env.read_text()
    env.write_text(text.replace('LOCK_TIMEOUT = "10s"', 'LOCK_TIMEOUT = "1s"'))
    assert env.read_text() != text
    other = postgres.connect()
    other.cursor().execute("SELECT pg_advisory_lock(%s)", (int(re.search(r"LOCK = (\d+)", text)[1]),))
    try:
        output, _ = alembic(postgres.env(), "upgrade", "head", cwd=image).communicate(timeout=20)
    finally:
        other.close()
    assert "canceling statement due to lock timeout [SELECT pg_advisory_xact_lock" in output.splitlines()[-1]
    assert postgres.query("SELECT version_num FROM alembic_version") == [("0001",)]
