"""A PostgreSQL server of the tests' own, in a temporary directory."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg2

USER, PASSWORD, NAME = "app_admin", "s3cret%/:@", "app"

_NOBODY = 65534  # initdb refuses to run as root


def free_port() -> int:
    """Returns a loopback port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Postgres:
    """Start, stop and question one server, which speaks TLS as localhost."""

    def __init__(self) -> None:
        self._bin = Path("/usr/lib/postgresql/17/bin")
        self._dir = Path(tempfile.mkdtemp(prefix="backend-test-"))
        self._data = self._dir / "data"
        self.port = free_port()
        self.ca_file = self._dir / "server.crt"  # self-signed: its own root
        self._create()

    def _create(self) -> None:
        self._run_openssl()
        password_file = self._dir / "password"
        password_file.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self._dir, *self._dir.iterdir()):
                os.chown(path, _NOBODY, _NOBODY)
            self._dir.chmod(0o755)  # other users read the certificate
        self._run("initdb", "-D", self._data, "-U", USER, "--auth=scram-sha-256", "--pwfile", password_file,
                  "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(self._data / "postgresql.conf", "a") as config:
            config.write(f"""
                listen_addresses = '127.0.0.1'
                port = {self.port}
                unix_socket_directories = ''
                fsync = off
                ssl = on
                ssl_cert_file = '{self.ca_file}'
                ssl_key_file = '{self._dir}/server.key'
            """)

    def _run_openssl(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", self._dir / "server.key", "-out", self.ca_file],
            check=True, capture_output=True)
        (self._dir / "server.key").chmod(0o600)

    def _run(self, program: str, *args: object) -> None:
        drop = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        subprocess.run([*drop, self._bin / program, *map(str, args)], check=True, cwd=self._dir,
                       stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Starts the server and waits until it accepts connections."""
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._dir / "log")

    def stop(self, mode: str = "fast") -> None:
        """Stops the server; every connection is cut."""
        self._run("pg_ctl", "stop", "-w", "-D", self._data, "-m", mode)

    def remove(self) -> None:
        """Stops the server and deletes its data."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._dir)

    def connect(self) -> "psycopg2.extensions.connection":
        """Opens a connection that commits by itself."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=NAME)
        connection.autocommit = True
        return connection

    def query(self, sql: str, *values: object) -> list:
        """Runs one statement on a connection of its own."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def create_database(self) -> None:
        """Creates the application's database, empty."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD,
                                      dbname="postgres")
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {NAME}")
        connection.close()

    def env(self, **changes: str) -> dict[str, str]:
        """Returns the environment variables that lead here."""
        return {
            "DB_HOST": "localhost",
            "DB_PORT": str(self.port),
            "DB_NAME": NAME,
            "DB_USER": USER,
            "DB_PASSWORD": PASSWORD,
            "DB_SSLROOTCERT": str(self.ca_file),
            **changes,
        }
