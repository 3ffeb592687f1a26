import type { PastAttempt } from '../../src/domain/attempt.ts'
import type { Answered, Completion, Finish } from '../../src/domain/completion.ts'
import { type Failure, failure } from '../../src/domain/failure.ts'
import type { JsonSchema, ModelTarget } from '../../src/domain/request.ts'
import type { Row, Value } from '../../src/domain/row.ts'
import type { Spec } from '../../src/domain/spec.ts'
import type { Prepared, PrepareOptions, Sendable, Settled } from '../../src/row/row.ts'

export function target(id: string, params: ModelTarget['params'] = {}): ModelTarget {
  return { id, baseUrl: null, apiKeyEnv: null, params }
}

export const TICKET_SCHEMA: JsonSchema = {
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['billing', 'login', 'bug', 'refund', 'other'] },
    urgent: { type: 'boolean' },
    note: { type: 'string' },
    score: { type: 'number', minimum: 0, maximum: 1 },
  },
  required: ['topic', 'urgent'],
}

interface Variation {
  readonly where?: string
  readonly system?: string | null
  readonly user?: string | null
  readonly vars?: Spec['vars']
  readonly schema?: JsonSchema | null
  readonly columns?: readonly string[]
  readonly checks?: Spec['output']['checks']
  readonly attempts?: number
  readonly retries?: number
  readonly rowTokens?: number | null
  readonly params?: ModelTarget['params']
  readonly fallback?: Spec['model']['fallback']
}

/** A whole spec, of which a test says only what it is about. */
export function spec(variation: Variation = {}): Spec {
  const schema = variation.schema === undefined ? TICKET_SCHEMA : variation.schema
  const properties = schema !== null && typeof schema === 'object' ? Object.keys(schema.properties ?? {}) : ['answer']
  return {
    version: 1,
    name: 'tickets',
    description: null,
    tags: {},
    vars: variation.vars ?? {},
    input: {
      source: 'tickets.csv',
      sql: null,
      format: null,
      key: null,
      where: variation.where ?? null,
      limit: null,
      csv: { delimiter: null, header: null, encoding: null },
    },
    model: {
      target: target('openai/main', variation.params ?? { max_output_tokens: 200 }),
      price: null,
      fallback: variation.fallback ?? [],
    },
    prompt: { system: variation.system ?? null, user: variation.user === undefined ? '{{ body }}' : variation.user },
    output: {
      schema,
      columns: variation.columns ?? properties,
      checks: variation.checks ?? [],
      onInvalid: { attempts: variation.attempts ?? 3 },
    },
    execution: {
      lane: 'live',
      chunkRows: null,
      chunksInFlight: 5,
      chunkAttempts: 3,
      concurrency: { max: 64 },
      limits: { rpm: null, tpm: null, itpm: null, otpm: null, rpd: null, tpd: null },
      timeout: { requestMs: 120_000, jobMs: null },
      retries: variation.retries ?? 4,
      cache: 'spec',
    },
    priority: 'normal',
    budget: { usdNano: null, tokens: null, rowTokens: variation.rowTokens ?? null, onExceed: 'pause' },
    gates: { minSuccess: null, maxCostPerRowNano: null },
    pauseIf: null,
    write: null,
  }
}

export function row(...values: readonly Value[]): Row {
  return { index: 0, id: '0', values }
}

const UNKNOWN = { limits: null, providerRequestId: null, latencyMs: 1, modelAnswered: null } as const

export function answered(text: string, finish: Finish = 'stop', tokens = { input: 10, output: 5 }): Answered {
  const usage = {
    inputTokens: tokens.input,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: tokens.output,
    reasoningTokens: 0,
  }
  return { ok: true, text, finish, usage, ...UNKNOWN }
}

export function unanswered(cause: Failure['cause'], more: Partial<Failure> = {}): Completion {
  return { ok: false, failure: { ...failure(cause, `it was ${cause}`), ...more }, usage: null, ...UNKNOWN }
}

/** The attempt as a store would give it back: through UTF-8 and JSON. */
export function booked(
  past: readonly PastAttempt[],
  sent: Sendable,
  settled: Settled,
  completion: Completion,
  more: Partial<PastAttempt> = {},
): PastAttempt {
  const attempt: PastAttempt = {
    number: past.length + 1,
    state: 'booked',
    ...settled.attempt,
    model: sent.request.target.id,
    inputTokens: completion.usage?.inputTokens ?? 0,
    outputTokens: completion.usage?.outputTokens ?? 0,
    costNano: null,
    startedAtMs: 0,
    requestHash: sent.requestHash,
    ...more,
  }
  return JSON.parse(Buffer.from(JSON.stringify(attempt), 'utf8').toString('utf8')) as PastAttempt
}

export const ALL_ALLOWED: PrepareOptions = { fallbackAllowed: () => true }

/** The request, where there is one; a test that expects one fails with what came instead. */
export function sendable(prepared: Prepared): Sendable {
  if (prepared.kind !== 'send') throw new Error(`no request: ${JSON.stringify(prepared)}`)
  return prepared
}
