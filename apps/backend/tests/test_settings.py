import pytest

from app import settings

PARTS = {"DB_HOST": "db.example", "DB_NAME": "app", "DB_USER": "me", "DB_PASSWORD": "p%40/:@"}


def test_parts_are_taken_verbatim():
    url = settings.load({**PARTS, "DB_PORT": "5433", "DB_SSLROOTCERT": "/ca.pem"}).database_url
    assert (url.host, url.port, url.database, url.username, url.password) == ("db.example", 5433, "app", "me", "p%40/:@")
    assert url.query == {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}


def test_url_is_percent_decoded_and_wins_over_parts():
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        url = settings.load({**PARTS, "DATABASE_URL": f"{scheme}://you:a%40b@other:6000/shop?sslmode=require"}).database_url
        assert (url.host, url.port, url.username, url.password) == ("other", 6000, "you", "a@b")
        assert url.query == {"sslmode": "require"}


def test_certificate_is_verified_unless_told_otherwise():
    assert settings.load(PARTS).database_url.query["sslmode"] == "verify-full"
    assert settings.load({"DATABASE_URL": "postgresql://a:b@c/d"}).database_url.query["sslmode"] == "verify-full"
    assert settings.load({**PARTS, "DB_SSLMODE": "disable"}).database_url.query["sslmode"] == "disable"


def test_every_problem_is_named_at_once():
    env = {"DB_HOST": "x", "DB_PORT": "0", "PORT": "http", "LOG_LEVEL": "loud", "DB_POOL_SIZE": "-1"}
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(env)
    assert str(caught.value).splitlines() == [
        "DB_NAME, DB_USER, DB_PASSWORD not set, want DATABASE_URL or all of DB_HOST, DB_NAME, DB_USER, DB_PASSWORD",
        "DB_PORT is 0, want 1 to 65535",
        "PORT is http, want 1 to 65535",
        "LOG_LEVEL is loud, want debug, info, warning or error",
        "DB_POOL_SIZE is -1, want 1 to 100",
    ]


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "hunter2", "postgresql://u:hunter2@h:port/d"])
def test_errors_never_show_the_password(url):
    with pytest.raises(settings.SettingsError) as caught:
        settings.load({"DATABASE_URL": url})
    assert "DATABASE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)
