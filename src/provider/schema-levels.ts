import type { JsonSchema } from '../domain/request.ts'
import { type PreparedSchema, prepareSchema, type SchemaLevel } from './schema.ts'
import type { SchemaDialect } from './schema-dialect.ts'

/** How one model is asked for each schema: prepared once, and one level lower after each time that its server refused. */
export interface SchemaLevels {
  prepared(schema: JsonSchema): PreparedSchema
  /** Goes one level down from `refused`. Whether there is one left: whether asking again can help. */
  lower(schema: JsonSchema, refused: PreparedSchema): boolean
}

const NEXT: Readonly<Record<SchemaLevel, SchemaLevel | null>> = { schema: 'json', json: 'words', words: null }

interface Entry {
  readonly level: SchemaLevel
  readonly prepared: PreparedSchema
}

export function createSchemaLevels(dialect: SchemaDialect | null): SchemaLevels {
  // By identity: a job has one schema object for all its rows, and a key of its text would cost more than the call.
  const entries = new WeakMap<object, Entry>()

  const put = (schema: JsonSchema, level: SchemaLevel): Entry => {
    const entry = { level, prepared: prepareSchema(schema, dialect, level) }
    if (typeof schema === 'object') entries.set(schema, entry)
    return entry
  }
  const entryOf = (schema: JsonSchema): Entry =>
    (typeof schema === 'object' ? entries.get(schema) : undefined) ?? put(schema, 'schema')

  return Object.freeze({
    prepared: (schema: JsonSchema) => entryOf(schema).prepared,
    lower(schema: JsonSchema, refused: PreparedSchema) {
      const now = entryOf(schema)
      // Another request in flight has been refused before, and has seen to it.
      if (now.prepared !== refused) return true
      const level = refused.ask.schema === null && now.level === 'schema' ? 'words' : NEXT[now.level]
      if (level === null) return false
      put(schema, level)
      return true
    },
  })
}
