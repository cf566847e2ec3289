import re
import socket
from datetime import datetime, timedelta, timezone

import pytest

from app import items
from app.main import DEFAULT_LIMIT, MAX_LIMIT


def test_added_item_is_stored_and_listed(client, postgres):
    answer = client.post("/api/items", json={"title": "  buy milk "})
    assert answer.status_code == 201
    item = answer.json()
    assert item["title"] == "buy milk"
    age = datetime.now(timezone.utc) - datetime.fromisoformat(item["created_at"].replace("Z", "+00:00"))
    assert timedelta() <= age < timedelta(minutes=1)
    assert client.get("/api/items").json() == [item]
    assert postgres.query("SELECT id, title FROM items") == [(item["id"], "buy milk")]


def test_newest_items_come_first_and_are_limited(client):
    for title in ("one", "two", "three"):
        client.post("/api/items", json={"title": title})
    assert [item["title"] for item in client.get("/api/items?limit=2").json()] == ["three", "two"]


def test_list_is_bounded_without_a_limit(client, postgres):
    postgres.query("INSERT INTO items (title) SELECT 'x' FROM generate_series(1, %s)", MAX_LIMIT + 1)
    assert len(client.get("/api/items").json()) == DEFAULT_LIMIT
    assert len(client.get(f"/api/items?limit={MAX_LIMIT}").json()) == MAX_LIMIT


@pytest.mark.parametrize("limit", ["0", "-1", str(MAX_LIMIT + 1), "many"])
def test_limit_out_of_range_is_refused(client, limit):
    assert client.get(f"/api/items?limit={limit}").status_code == 422


@pytest.mark.parametrize("title", ["x" * items.TITLE_LENGTH, "日本 🎉", "'; DROP TABLE items; --", "100%s"])
def test_any_printable_title_survives(client, title):
    assert client.post("/api/items", json={"title": title}).status_code == 201
    assert client.get("/api/items").json()[0]["title"] == title


@pytest.mark.parametrize(
    "body",
    ['{"title": ""}', '{"title": "   "}', '{"title": "%s"}' % ("x" * (items.TITLE_LENGTH + 1)), "{}", "[]",
     '{"title": null}', "not json", '{"title": "a\\u0000b"}', '{"title": "\\ud800"}'])
def test_bad_item_is_refused_and_not_stored(client, postgres, body):
    answer = client.post("/api/items", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert {"loc", "msg", "type"} == set(answer.json()["detail"][0])
    assert postgres.query("SELECT count(*) FROM items") == [(0,)]


def test_deleted_item_is_gone_and_cannot_be_deleted_again(client):
    kept = client.post("/api/items", json={"title": "kept"}).json()
    item = client.post("/api/items", json={"title": "gone"}).json()
    answer = client.delete(f"/api/items/{item['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/api/items").json() == [kept]
    assert client.delete(f"/api/items/{item['id']}").status_code == 404


@pytest.mark.parametrize("item_id", ["0", "abc", str(2**63), "9" * 40])
def test_impossible_id_is_refused(client, item_id):
    assert client.delete(f"/api/items/{item_id}").status_code == 422


def test_probes_answer(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_sane_request_id_is_passed_on_and_others_are_replaced(client):
    for sane in ("abc-1.2_3", "x" * 8, "x" * 128):
        assert client.get("/healthz", headers={"X-Request-ID": sane}).headers["X-Request-ID"] == sane
    for bad in ("", "x" * 7, "x" * 129, "a b c d e", "{}{}{}{}", "abc-1.2_3:4", "abcdefg=", "abcdefg+", "abcdefg/"):
        made = client.get("/healthz", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", made)
    assert client.get("/healthz").headers["X-Request-ID"] != client.get("/healthz").headers["X-Request-ID"]


def test_every_answer_names_the_pod(client):
    for path in ("/healthz", "/api/items", "/nowhere"):
        assert client.get(path).headers["X-Served-By"] == socket.gethostname()


def test_unexpected_error_is_json_with_the_request_id(client, postgres):
    postgres.query("ALTER TABLE items RENAME TO elsewhere")
    try:
        answer = client.get("/api/items", headers={"X-Request-ID": "lost-and-found"})
    finally:
        postgres.query("ALTER TABLE elsewhere RENAME TO items")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal error."}
    assert answer.headers["X-Request-ID"] == "lost-and-found"
