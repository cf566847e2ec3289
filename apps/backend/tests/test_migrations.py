import pytest

from app.items import items
from tests.conftest import alembic


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
