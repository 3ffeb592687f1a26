import pg from 'pg'

/** The database of the shared server that has all migrations and no rows; new ones are made in its likeness. */
export const MIGRATED = 'migrated'

/** The URL of another database of the same server. */
export function databaseOf(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on a connection of its own. Returns its rows. */
export async function ask<R extends pg.QueryResultRow>(url: string, statement: string): Promise<readonly R[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<R>(statement)).rows
  } finally {
    await client.end()
  }
}
