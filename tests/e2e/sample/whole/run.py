"""A job: works until it is told to end, and says which release it is of. Or it fails, with the status in its argument."""

import os
import sys
import time

import psycopg2

if len(sys.argv) > 1:
    print("it fails", flush=True)
    sys.exit(int(sys.argv[1]))
print("begun by release", os.environ["RELEASE"], flush=True)
while True:
    # A new connection each time: it wants the login, and the file with the certificates.
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("select from signals where name = 'end'")
        if cursor.rowcount:
            break
    time.sleep(0.5)
print("ended by release", os.environ["RELEASE"], "with the key", os.environ["KEY"][:1])
