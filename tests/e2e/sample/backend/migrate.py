"""Creates the table of orders, in the database that DATABASE_URL names."""

import os

import psycopg2

with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
    cursor.execute("create table if not exists orders (id bigint generated always as identity primary key, note text not null)")
print("orders are there")
