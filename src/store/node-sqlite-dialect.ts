import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { type Dialect, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely'
import { mapped } from './sqlite-failure.ts'

/** Statements kept prepared; a list in a query (`in (?, ?, …)`) makes a new one for each length, so there must be an end to it. */
const CACHED_STATEMENTS = 256

/**
 * Kysely's SQLite dialect over one handle of `node:sqlite`, which stays the caller's to close. Whoever uses it says when a transaction
 * begins and ends (sqlite-writer.ts); failures of the database come out as `StorageFailure`.
 */
export function nodeSqliteDialect(handle: DatabaseSync): Dialect {
  const cache = new Map<string, SqliteStatement>()
  const database: SqliteDatabase = {
    close: () => undefined,
    prepare(sql) {
      const known = cache.get(sql)
      if (known !== undefined) return known
      if (cache.size >= CACHED_STATEMENTS) cache.delete(cache.keys().next().value as string)
      const statement = asKyselyStatement(mapped(() => handle.prepare(sql)))
      cache.set(sql, statement)
      return statement
    },
  }
  return new SqliteDialect({ database })
}

function asKyselyStatement(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[]
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => mapped(() => statement.all(...values(parameters))),
    run: (parameters) => mapped(() => statement.run(...values(parameters))),
    iterate: (parameters) => mapped(() => statement.iterate(...values(parameters))),
  }
}
