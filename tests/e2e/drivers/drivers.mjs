// Connects as the rows of Node's drivers in docs/reference/app.md say. Prints each name and whether TLS is used.
import { readFileSync } from "node:fs";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import postgres from "postgres";

const env = process.env;
const SQL = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
const parts = { host: env.DB_HOST, port: Number(env.DB_PORT), user: env.DB_USER, password: env.DB_PASSWORD, database: env.DB_NAME };
const ssl = { ca: readFileSync(env.DB_SSLROOTCERT) };

async function withPg(options) {
  const client = new pg.Client(options);
  await client.connect();
  try {
    return (await client.query(SQL)).rows[0].ssl;
  } finally {
    await client.end();
  }
}

async function withPostgres(options) {
  const sql = postgres({ ...options, max: 1, connect_timeout: 5 });
  try {
    return (await sql.unsafe(SQL))[0].ssl;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function withPrisma(options) {
  const adapter = await new PrismaPg(options).connect();
  try {
    return (await adapter.queryRaw({ sql: SQL, args: [], argTypes: [] })).rows[0][0];
  } finally {
    await adapter.dispose();
  }
}

const ways = {
  "node-postgres": () => withPg({ connectionString: env.DATABASE_URL }),
  "node-postgres, without a URL": () => withPg({ ...parts, ssl }),
  "Prisma 7": () => withPrisma({ connectionString: env.DATABASE_URL }),
  "postgres.js": () => withPostgres({ ...parts, ssl }),
};

for (const [name, connect] of Object.entries(ways)) {
  try {
    console.log(`${name}: TLS ${(await connect()) ? "True" : "False"}`);
  } catch (error) {
    console.log(`${name}: refused, ${error.code} ${error.message} ${JSON.stringify(error.cause)}`.slice(0, 200));
  }
}
