import { BODY_COLUMN, type ChatAnswer, type ChatKind, type ReadChat } from '../domain/chat.ts'
import type { Answered, Finish } from '../domain/completion.ts'
import type { JsonSchema } from '../domain/request.ts'
import type { Row, Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { jsonText } from './json-text.ts'
import { type Judge, type Judgement, readJson, readPlain, unread } from './judge.ts'
import { compileSchema } from './output-schema.ts'
import { NOTHING_FIXED, type PromptOf } from './prompt.ts'
import type { Faults } from './read-answer.ts'

/** Schemas that are kept compiled: most jobs have one for all their rows. */
const SCHEMAS_KEPT = 100

/** How the rows of a job are asked and judged that are whole requests. */
export interface RequestsCompiled {
  readonly prompt: PromptOf
  readonly judge: Judge
}

/**
 * Compiles rows that are whole requests in the column `body`: each says its own messages, parameters and schema. Accepted is what OpenAI would deliver as
 * an answer: also text that was cut off at the limit, was stopped by a filter, or declines, each said so; JSON only whole, and by its schema.
 */
export function compileRequests(kind: ChatKind, columns: readonly string[], readChat?: ReadChat): RequestsCompiled {
  const at = columns.indexOf(BODY_COLUMN)
  if (at < 0 || readChat === undefined) {
    throw new SluiceError('spec_invalid', `the rows should be requests, and have no column "${BODY_COLUMN}"`)
  }
  const schemas = createSchemas()
  const read = (row: Row) => readChat(kind, row.values[at] ?? null)
  return Object.freeze({
    prompt: (row: Row) => {
      const reading = read(row)
      if (!reading.ok) return { ok: false, message: reading.fault.message }
      const { system, messages, params, schema } = reading.parts
      try {
        const own = { params, schema: schema === null ? null : schemas.of(schema).schema }
        return { ok: true, system, messages, fixed: NOTHING_FIXED, own }
      } catch (error) {
        return {
          ok: false,
          message: `the schema is not valid: ${error instanceof Error ? error.message : String(error)}`,
        }
      }
    },
    judge: (row, completion, maxOutputTokens) => {
      if (!completion.ok) return { accepted: false, failure: completion.failure }
      const reading = read(row)
      const schema = reading.ok ? reading.parts.schema : null
      return judge(completion, schema === null ? null : schemas.of(schema).faults, maxOutputTokens)
    },
  } satisfies RequestsCompiled)
}

/** Says of schemas why they cannot be compiled; `null`: they can. Cheap where many are the same. */
export function createSchemaCheck(): (schema: JsonSchema) => string | null {
  const schemas = createSchemas()
  return (schema) => {
    try {
      schemas.of(schema)
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}

function judge(completion: Answered, faults: Faults | null, maxOutputTokens: number | undefined): Judgement {
  const { text, finish } = completion
  if (finish === 'refusal') return accepted({ answer: null, finish_reason: 'stop', refusal: text })
  const isWhole = finish === 'stop' || finish === 'other'
  if (finish === 'content_filter' || (faults === null && !isWhole)) return accepted(said(text, finish))
  const reading = faults === null ? readPlain(completion) : readJson(completion, faults)
  if (!reading.ok) return unread(reading, completion, maxOutputTokens)
  return accepted(said(faults === null ? text : JSON.stringify(reading.exact), 'stop'))
}

function said(text: string, finish: Finish): ChatAnswer {
  return {
    answer: text,
    finish_reason: finish === 'length' || finish === 'content_filter' ? finish : 'stop',
    refusal: null,
  }
}

function accepted(answer: ChatAnswer): Judgement {
  return { accepted: true, output: JSON.stringify(answer) }
}

interface Compiled {
  /** The same object for the same schema: what providers make of it is kept by it. */
  readonly schema: JsonSchema
  readonly faults: Faults
}

/** Compiles each schema once, as long as not many different ones come between. */
function createSchemas(): { of(schema: JsonSchema): Compiled } {
  const kept = new Map<string, Compiled>()
  return {
    of(schema) {
      const text = jsonText(schema as Value)
      const found = kept.get(text)
      if (found !== undefined) return found
      const compiled = { schema, faults: compileSchema(schema) }
      const [oldest] = kept.keys()
      if (kept.size >= SCHEMAS_KEPT && oldest !== undefined) kept.delete(oldest)
      kept.set(text, compiled)
      return compiled
    },
  }
}
