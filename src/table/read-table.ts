import type { DuckDBResult, DuckDBType } from '@duckdb/node-api'
import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { openDuckDb } from './duckdb.ts'

/** What messages call the query of a spec. */
const OWN_QUERY = 'input.sql'

/** A table that is being read: its rows, in order, in batches of about two thousand. */
export interface TableReading {
  readonly columns: readonly string[]
  readonly types: readonly DuckDBType[]
  /** Ends when all was read; leaving the loop closes the table. */
  rows(): AsyncGenerator<readonly (readonly Value[])[]>
  /** For a table whose rows are not read. */
  close(): void
}

/** Rows of one SELECT over files, whose paths are relative to `baseDir`. Throws `input_invalid` with DuckDB's message. */
export async function readQuery(sql: string, baseDir: string): Promise<TableReading> {
  return openTable(sql, baseDir, OWN_QUERY)
}

/** Rows of one SELECT; `what` is for people. Throws `input_invalid`. */
export async function openTable(sql: string, baseDir: string | null, what: string): Promise<TableReading> {
  const { StatementType } = await import('@duckdb/node-api')
  const { holdsBytes, toValue } = await import('./value.ts')
  const database = await openDuckDb(':memory:', baseDir)
  try {
    const statements = await database.connection.extractStatements(sql)
    if (statements.count !== 1) throw new Error(`it holds ${statements.count} statements, where one SELECT is expected`)
    const statement = await statements.prepare(0)
    if (statement.statementType !== StatementType.SELECT) throw new Error('it is no SELECT')
    const result = await statement.stream()
    const columns = checkedColumns(result, what, holdsBytes)
    const types = result.columnTypes()

    async function* rows(): AsyncGenerator<readonly (readonly Value[])[]> {
      try {
        for (;;) {
          const chunk = await result.fetchChunk()
          if (chunk === null || chunk.rowCount === 0) return
          const columnValues = types.map((type, at) => chunk.getColumnValues(at).map((value) => toValue(value, type)))
          yield Array.from({ length: chunk.rowCount }, (_, row) => columnValues.map((values) => values[row] as Value))
        }
      } catch (error) {
        throw asInputError(error, what)
      } finally {
        database.close()
      }
    }
    return Object.freeze({ columns, types, rows, close: () => database.close() })
  } catch (error) {
    database.close()
    throw asInputError(error, what)
  }
}

function checkedColumns(
  result: DuckDBResult,
  what: string,
  holdsBytes: (type: ReturnType<DuckDBResult['columnType']>) => boolean,
): readonly string[] {
  const names = result.columnNames()
  const twice = names.filter((name, at) => names.indexOf(name) !== at)
  if (twice.length > 0) {
    throw new SluiceError(
      'input_invalid',
      `${what} has two columns of one name: ${twice.map((name) => `"${name}"`).join(', ')}`,
      {
        hint: 'Name them apart with AS.',
      },
    )
  }
  const binary = names.filter((_, at) => holdsBytes(result.columnType(at)))
  if (binary.length > 0) {
    throw new SluiceError(
      'input_invalid',
      `${what} has bytes in ${binary.map((name) => `"${name}"`).join(', ')}, which are no text`,
      {
        hint: `Leave them out: input.sql: select * exclude (${binary.join(', ')}) from …, or turn them into text with decode() or base64().`,
      },
    )
  }
  return Object.freeze(names)
}

function asInputError(error: unknown, what: string): unknown {
  if (error instanceof SluiceError || !(error instanceof Error)) return error
  // Of a query that is ours, neither its text nor where the file lies for the moment is of use to anybody.
  const message =
    what === OWN_QUERY ? error.message : error.message.replace(/\n\nLINE [\s\S]*$/, '').replace(/ '\/[^'\n]*'/g, '')
  return new SluiceError('input_invalid', `${what} cannot be read: ${message}`, { cause: error })
}
