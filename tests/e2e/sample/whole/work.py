"""A worker. It takes a row, works on it outside of any transaction, and notes that it is done: a row is lost where the
worker is killed in between."""

import os
import signal
import time

import psycopg2

stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
connection = psycopg2.connect(os.environ["DATABASE_URL"])
connection.autocommit = True
cursor = connection.cursor()
while not stopping:
    # The pods of the server make the table.
    cursor.execute("select to_regclass('tasks')")
    if not cursor.fetchone()[0]:
        time.sleep(0.5)
        continue
    open("/tmp/well", "w").close()
    cursor.execute(
        "update tasks set taken = taken + 1 where id = (select id from tasks where taken = 0 limit 1 for update skip locked) returning id"
    )
    row = cursor.fetchone()
    time.sleep(2 if row else 0.2)
    if row:
        cursor.execute("update tasks set done = done + 1 where id = %s", row)
print("no work in hand")
