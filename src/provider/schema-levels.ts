import type { JsonSchema, SchemaLevel } from '../domain/request.ts'
import { type PreparedSchema, prepareSchema } from './schema.ts'
import type { SchemaDialect } from './schema-dialect.ts'

/** A schema as a model is asked for it at one level. */
export interface AskedSchema {
  readonly level: SchemaLevel
  readonly prepared: PreparedSchema
}

/** How one model is asked for each schema: prepared once for each level, and one level lower after each time that its server refused. */
export interface SchemaLevels {
  /** As it is asked now; or as it was at the given level, which a reply from a batch comes with: the level may have sunk since, also elsewhere. */
  asked(schema: JsonSchema, level?: SchemaLevel): AskedSchema
  /** Goes one level down from `refused`. Whether there is one left: whether asking again can help. */
  lower(schema: JsonSchema, refused: AskedSchema): boolean
}

/** From the most to the least that a server may take. */
const LEVELS: readonly SchemaLevel[] = ['schema', 'json', 'words']

interface Entry {
  now: SchemaLevel
  readonly at: Map<SchemaLevel, AskedSchema>
}

export function createSchemaLevels(dialect: SchemaDialect | null): SchemaLevels {
  // By identity: a job has one schema object for all its rows, and a key of its text would cost more than the call.
  const entries = new WeakMap<object, Entry>()

  const entryOf = (schema: JsonSchema): Entry => {
    const known = typeof schema === 'object' ? entries.get(schema) : undefined
    if (known !== undefined) return known
    const entry: Entry = { now: 'schema', at: new Map() }
    if (typeof schema === 'object') entries.set(schema, entry)
    return entry
  }
  const sinkTo = (entry: Entry, level: SchemaLevel) => {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(entry.now)) entry.now = level
  }

  return Object.freeze({
    asked(schema: JsonSchema, level?: SchemaLevel) {
      const entry = entryOf(schema)
      // A reply to a plainer question: some process has met the refusal that this one need not meet again.
      if (level !== undefined) sinkTo(entry, level)
      const wanted = level ?? entry.now
      const known = entry.at.get(wanted)
      if (known !== undefined) return known
      const asked = { level: wanted, prepared: prepareSchema(schema, dialect, wanted) }
      entry.at.set(wanted, asked)
      return asked
    },
    lower(schema: JsonSchema, { level, prepared }: AskedSchema) {
      const next = level === 'schema' && prepared.ask.schema === null ? 'words' : LEVELS[LEVELS.indexOf(level) + 1]
      if (next === undefined) return false
      // Another request may have been refused before, and have seen to it.
      sinkTo(entryOf(schema), next)
      return true
    },
  })
}
