import type { JSONSchema7 } from '@ai-sdk/provider'
import type { JsonSchema, SchemaLevel } from '../domain/request.ts'
import type { Ask } from './encode.ts'
import { restoreOptional } from './restore-optional.ts'
import type { SchemaDialect } from './schema-dialect.ts'
import { NotStrict, tightenSchema } from './tighten.ts'

/** An output schema made ready for one provider. */
export interface PreparedSchema {
  readonly ask: Ask
  /** Makes an answer to `ask` one to the user's own schema: takes out the nulls that stand for absent optional properties. */
  restore(text: string): string
  /** Why the provider does not enforce the schema, where it does not; `null` where it does. */
  readonly note: string | null
}

/**
 * Puts the user's schema into the form that a provider enforces; where it cannot take it, asks for JSON and says the schema in
 * the prompt. The schema itself stays as it is: every answer is validated against it afterwards. `dialect` `null`: the AI SDK
 * does the same for that provider itself (Anthropic).
 */
export function prepareSchema(schema: JsonSchema, dialect: SchemaDialect | null, level: SchemaLevel): PreparedSchema {
  if (level !== 'schema') return inWords(schema, level, 'the server refused it')
  if (typeof schema === 'boolean') return inWords(schema, 'json', 'it is no object schema')
  if (dialect === null) return { ask: asked(schema as JSONSchema7), restore: asIs, note: null }
  try {
    const tightened = tightenSchema(schema, dialect)
    const restore = tightened.addedNull ? (text: string) => restoreOptional(text, schema) : asIs
    return { ask: asked(tightened.schema as JSONSchema7), restore, note: null }
  } catch (thrown) {
    if (!(thrown instanceof NotStrict)) throw thrown
    return inWords(schema, 'json', thrown.message)
  }
}

function asked(schema: JSONSchema7): Ask {
  return { schema, json: true, instruction: null }
}

function inWords(schema: JsonSchema, level: 'json' | 'words', why: string): PreparedSchema {
  const instruction = `Answer with one JSON object and nothing else. It must fit this JSON Schema:\n${JSON.stringify(schema)}`
  return {
    ask: { schema: null, json: level === 'json', instruction },
    restore: asIs,
    note: `the provider does not enforce output.schema (${why}): it is put in the prompt, and each answer is checked here as always`,
  }
}

function asIs(text: string): string {
  return text
}
