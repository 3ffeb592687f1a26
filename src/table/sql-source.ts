import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { sha256 } from '../runtime.ts'
import { identifier, literal, withDuckDb } from './duckdb.ts'
import { duckDbError, openParquetSource, type TableSource } from './parquet-source.ts'

/**
 * Opens the result of a DuckDB query over files; paths in it are relative to `baseDir`. The query runs once: its result is kept as a Parquet file
 * in `workDir`, so that reading can go on after a crash at exactly the row where it was, whatever order the query would have given the second
 * time. Throws SluiceError `input_invalid` with what DuckDB says.
 */
export async function openSqlSource(sql: string, baseDir: string, workDir: string): Promise<TableSource> {
  await mkdir(workDir, { recursive: true })
  const kept = join(workDir, `sql-${sha256(`${baseDir}\n${sql}`).slice(0, 16)}.parquet`)
  if (!existsSync(kept)) await keepResult(sql, baseDir, kept)
  const table = await openParquetSource([kept], ['input.sql'])
  return Object.freeze({ ...table, format: 'sql', files: [] })
}

/** The columns of a query, and its first rows' shape, without running all of it. */
export async function describeSql(sql: string, baseDir: string): Promise<readonly string[]> {
  return withDuckDb(':memory:', async (connection) => {
    await connection.run(`set file_search_path = ${literal(baseDir)}`)
    try {
      const described = await connection.runAndReadAll(`describe ${statementOf(sql)}`)
      return described.getRows().map(([column]) => String(column))
    } catch (error) {
      throw duckDbError(error, 'input.sql')
    }
  })
}

async function keepResult(sql: string, baseDir: string, path: string): Promise<void> {
  const temporary = `${path}.part`
  try {
    await withDuckDb(':memory:', async (connection) => {
      await connection.run(`set file_search_path = ${literal(baseDir)}`)
      await connection.run(`set temp_directory = ${literal(`${path}.spill`)}`)
      try {
        const exact = await withExactSums(connection, statementOf(sql))
        await connection.run(`copy (${exact}) to ${literal(temporary)} (format parquet)`)
      } catch (error) {
        throw duckDbError(error, 'input.sql')
      }
    })
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
    await rm(`${path}.spill`, { recursive: true, force: true })
  }
}

/** Parquet has no integers of 128 bits, which is what DuckDB's sums are: they are kept as decimals, which are exact. */
async function withExactSums(connection: DuckDBConnection, sql: string): Promise<string> {
  const described = (await connection.runAndReadAll(`describe ${sql}`)).getRows()
  const huge = described
    .filter(([, type]) => /^U?HUGEINT$/.test(String(type)))
    .map(([column]) => identifier(String(column)))
  if (huge.length === 0) return sql
  const casts = huge.map((column) => `cast(${column} as decimal(38, 0)) as ${column}`)
  return `select * replace (${casts.join(', ')}) from (${sql})`
}

/** One statement, without the semicolon that people end it with. */
function statementOf(sql: string): string {
  return sql.trim().replace(/;+\s*$/, '')
}
