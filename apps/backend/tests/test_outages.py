"""What happens when the database goes away, hangs or comes back."""

import dataclasses
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import psycopg2
import pytest
from fastapi.testclient import TestClient

from app.main import create_app

BUSY = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE %s"


@contextmanager
def locked_table(postgres):
    """Makes every statement on the table wait."""
    connection = postgres.connect()
    connection.autocommit = False
    connection.cursor().execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


class InBackground:
    """A request that is waited for later."""

    def __init__(self, call, *args, **kwargs):
        self._thread = threading.Thread(target=lambda: setattr(self, "_answer", call(*args, **kwargs)))
        self._thread.start()

    def answer(self):
        self._thread.join(timeout=20)
        return self._answer


def wait_for(condition, seconds=10):
    """Polls until condition returns something true, and returns that."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "condition not met in time"
        time.sleep(0.02)
    return result


@pytest.fixture
def outage(postgres):
    """Stops the server for the test; whatever happens, it runs afterwards."""
    postgres.stop()
    running = False

    def end():
        nonlocal running
        postgres.start()
        running = True

    yield end
    if not running:
        postgres.start()


def test_first_requests_after_a_restart_succeed(client, postgres):
    kept = client.post("/api/items", json={"title": "before"}).json()
    assert client.get("/readyz").status_code == 200
    postgres.stop("immediate")
    postgres.start()
    assert client.post("/api/items", json={"title": "after"}).status_code == 201
    assert client.get("/api/items").json()[1] == kept
    assert client.get("/readyz").status_code == 200
    assert client.delete(f"/api/items/{kept['id']}").status_code == 204


def test_outage_is_a_clear_503_and_the_process_stays_healthy(client, outage):
    for answer in (
        client.get("/readyz"),
        client.get("/api/items"),
        client.post("/api/items", json={"title": "x"}),
        client.delete("/api/items/1"),
    ):
        assert answer.status_code == 503
        assert answer.json() == {"detail": "The database is not available. Please try again shortly."}
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["X-Request-ID"]
    assert client.get("/healthz").status_code == 200
    outage()
    assert client.get("/readyz").status_code == 200
    assert client.get("/api/items").status_code == 200


def test_process_starts_without_a_database(chosen, outage):
    with TestClient(create_app(chosen)) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        outage()
        assert client.get("/readyz").status_code == 200
        assert client.post("/api/items", json={"title": "x"}).status_code == 201


def test_read_is_repeated_when_its_connection_is_cut(client, postgres):
    client.post("/api/items", json={"title": "still there"})
    with locked_table(postgres):
        request = InBackground(client.get, "/api/items")
        [(first,)] = wait_for(lambda: postgres.query(BUSY, "SELECT items%"))
        postgres.query("SELECT pg_terminate_backend(%s)", first)
        wait_for(lambda: [row for row in postgres.query(BUSY, "SELECT items%") if row != (first,)])
    assert request.answer().status_code == 200
    assert [item["title"] for item in request.answer().json()] == ["still there"]


def test_write_is_not_repeated_when_its_connection_is_cut(client, postgres):
    with locked_table(postgres):
        request = InBackground(client.post, "/api/items", json={"title": "once at most"})
        [(pid,)] = wait_for(lambda: postgres.query(BUSY, "INSERT INTO items%"))
        postgres.query("SELECT pg_terminate_backend(%s)", pid)
        answer = request.answer()
    assert answer.status_code == 504
    assert "Retry-After" not in answer.headers
    assert "may or may not" in answer.json()["detail"]
    assert postgres.query("SELECT count(*) FROM items") == [(0,)]


def test_slow_statement_is_ended_by_its_timeout(client, postgres, chosen):
    with locked_table(postgres):
        start = time.monotonic()
        answers = [client.get("/api/items"), client.post("/api/items", json={"title": "never"})]
        duration = time.monotonic() - start
    assert [answer.status_code for answer in answers] == [503, 503]
    # The server itself says that it did nothing, so nothing is in doubt.
    assert "may or may not" not in answers[1].json()["detail"]
    assert duration < 2 * chosen.statement_timeout + 1
    assert postgres.query("SELECT count(*) FROM items") == [(0,)]


def test_readiness_does_not_wait_behind_slow_requests(client, postgres, chosen):
    client.get("/readyz")
    with locked_table(postgres):
        requests = [InBackground(client.get, "/api/items") for _ in range(3 * chosen.pool_size)]
        wait_for(lambda: len(postgres.query(BUSY, "SELECT items%")) == chosen.pool_size)
        start = time.monotonic()
        assert client.get("/readyz").status_code == 200
        assert time.monotonic() - start < chosen.ready_timeout
    assert {request.answer().status_code for request in requests} <= {200, 503}
    assert client.get("/api/items").status_code == 200


def test_no_request_hangs_when_the_database_freezes(postgres, chosen):
    """A server that accepts connections and then never says a word."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        frozen = chosen.database_url.set(port=silent.getsockname()[1])
        with TestClient(create_app(dataclasses.replace(chosen, database_url=frozen))) as client:
            start = time.monotonic()
            assert client.get("/readyz").status_code == 503
            assert time.monotonic() - start < chosen.ready_timeout + 1
            assert client.get("/api/items").status_code == 503
            assert time.monotonic() - start < chosen.ready_timeout + chosen.request_timeout + 1


def test_pool_is_full_from_the_start_and_outlives_the_password(postgres, chosen):
    # An earlier test's connection may not have been closed yet.
    [(start,)] = postgres.query("SELECT now()")
    mine = ("SELECT count(*) FROM pg_stat_activity"
            " WHERE client_port IS NOT NULL AND pid <> pg_backend_pid() AND backend_start > %s")
    with TestClient(create_app(chosen)) as client:
        wait_for(lambda: postgres.query(mine, start) == [(chosen.pool_size,)])
        name, password = chosen.database_url.username, chosen.database_url.password
        postgres.query(f"ALTER ROLE {name} PASSWORD 'another'")
        try:
            requests = [InBackground(client.get, "/api/items") for _ in range(4 * chosen.pool_size)]
            assert {request.answer().status_code for request in requests} == {200}
        finally:
            # The old password is no longer good for a new connection.
            other = chosen.database_url.set(password="another")
            connection = psycopg2.connect(
                host="127.0.0.1", port=other.port, user=name, password="another", dbname=other.database)
            connection.autocommit = True
            connection.cursor().execute(f"ALTER ROLE {name} PASSWORD %s", (password,))
            connection.close()


def test_wrong_certificate_authority_is_refused(chosen, tmp_path):
    wrong = tmp_path / "wrong.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=wrong",
                    "-keyout", tmp_path / "key", "-out", wrong], check=True, capture_output=True)
    url = chosen.database_url.update_query_dict({"sslrootcert": str(wrong)})
    with TestClient(create_app(dataclasses.replace(chosen, database_url=url))) as client:
        assert client.get("/readyz").status_code == 503


def test_connections_are_encrypted(client, postgres):
    assert client.get("/readyz").status_code == 200
    encrypted = postgres.query(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        " WHERE client_port IS NOT NULL AND application_name <> ''")
    assert encrypted == [(True,)]
