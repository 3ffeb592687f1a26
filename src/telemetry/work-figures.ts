import type { Attributes, Counter, Meter } from '@opentelemetry/api'
import type { LimitFigure } from '../domain/limit-text.ts'
import { OUTCOME_STATES } from '../domain/row.ts'
import type { AttemptEnd, EventMap, Events } from '../events.ts'
import type { Runtime } from '../runtime.ts'
import { DURATION_BUCKETS, GEN_AI, genAiModel, isCounted, TOKEN_BUCKETS } from './gen-ai.ts'

const NANO = 1e-9
/** Accounts that are remembered; callers may think of any number of models. */
const ACCOUNTS_MAX = 1_000

/** Labels of what was done for a tenant: none, or its name. */
export type TenantLabel = (tenantNo: number) => Attributes

/** Counts what this process does: rows, attempts, tokens, cost, waits. Returns the way out. */
export function measureWork(meter: Meter, events: Events, runtime: Runtime, tenant: TenantLabel): () => void {
  const offs = [
    measureRows(meter, events, tenant),
    measureAttempts(meter, events, tenant),
    measureWaits(meter, events, runtime),
    measureTrouble(meter, events),
  ]
  return all(offs)
}

function all(offs: readonly (() => void)[]): () => void {
  return () => {
    for (const off of offs) off()
  }
}

function measureRows(meter: Meter, events: Events, tenant: TenantLabel): () => void {
  const rows = meter.createCounter('sluice_rows', { description: 'Rows that got their outcome here, by its state.' })
  const reused = meter.createCounter('sluice_rows_reused', {
    description: 'Among them, those whose answer was reused.',
  })
  const offs = [
    events.on('rows.ended', ({ tenantNo, delta }) => {
      const labels = tenant(tenantNo)
      for (const state of OUTCOME_STATES) if (delta[state] > 0) rows.add(delta[state], { ...labels, state })
      if (delta.cached > 0) reused.add(delta.cached, labels)
    }),
    events.on('chunk.failed', ({ tenantNo, rows: failed }) => {
      if (failed > 0) rows.add(failed, { ...tenant(tenantNo), state: 'failed' })
    }),
    events.on('job.ended', ({ tenantNo, cancelled }) => {
      if (cancelled > 0) rows.add(cancelled, { ...tenant(tenantNo), state: 'cancelled' })
    }),
  ]
  return all(offs)
}

function measureAttempts(meter: Meter, events: Events, tenant: TenantLabel): () => void {
  const attempts = meter.createCounter('sluice_attempts', {
    description:
      'Requests to models that have ended, by cause: ok, why the answer was of no use, or lost: its sender died.',
  })
  const cost = meter.createCounter('sluice_cost_usd', {
    description: 'What they cost, US dollars, as far as prices are known.',
  })
  const tokens = meter.createCounter('sluice_tokens', { description: 'Tokens as providers counted them, by type.' })
  const duration = meter.createHistogram('gen_ai.client.operation.duration.seconds', {
    description: 'How long requests of the live lane took.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  })
  const usage = meter.createHistogram('gen_ai.client.token.usage', {
    description: 'Tokens of one request.',
    unit: '{token}',
    advice: { explicitBucketBoundaries: TOKEN_BUCKETS },
  })
  const onLost = events.on('chunk.claimed', ({ tenantNo, lost }) => {
    // Asked for in any case: what comes of the chunk finds the name of its tenant known.
    const labels = tenant(tenantNo)
    // What is sent by batch is not lost with who sent it.
    if (lost > 0) attempts.add(lost, { ...labels, cause: 'lost', lane: 'live' })
  })
  const onEnded = events.on('attempt.ended', (attempt) => {
    const labels = tenant(attempt.tenantNo)
    attempts.add(1, { ...labels, cause: attempt.cause ?? 'ok', lane: attempt.lane })
    if (attempt.costNano !== null) cost.add(attempt.costNano * NANO, labels)
    addTokens(tokens, attempt, labels)
    const request = genAiLabels(attempt)
    if (isCounted(attempt)) {
      usage.record(attempt.usage.inputTokens, { ...request, [GEN_AI.tokenType]: 'input' })
      usage.record(attempt.usage.outputTokens, { ...request, [GEN_AI.tokenType]: 'output' })
    }
    // A batch takes hours, and says nothing of how long its provider was busy.
    if (attempt.lane !== 'live') return
    const error = attempt.cause === null ? {} : { [GEN_AI.error]: attempt.cause }
    duration.record((attempt.endedAtMs - attempt.startedAtMs) / 1000, { ...request, ...error })
  })
  return all([onLost, onEnded])
}

function addTokens(counter: Counter, { usage }: AttemptEnd, labels: Attributes): void {
  const { inputTokens, cachedInputTokens, outputTokens } = usage
  counter.add(inputTokens - cachedInputTokens, { ...labels, type: 'input' })
  counter.add(cachedInputTokens, { ...labels, type: 'cached' })
  counter.add(outputTokens, { ...labels, type: 'output' })
}

function genAiLabels({ model: id }: AttemptEnd): Attributes {
  const { provider, model } = genAiModel(id)
  return { [GEN_AI.operation]: 'chat', [GEN_AI.provider]: provider, [GEN_AI.model]: model }
}

/**
 * Time in which requests of an account wait: its provider said so, is out, or a limit of it is used up. Where these overlap, time is counted once, for
 * what came first.
 */
function measureWaits(meter: Meter, events: Events, runtime: Runtime): () => void {
  const seconds = meter.createCounter('sluice_limit_wait_seconds', {
    description:
      'Time in which requests to accounts of providers had to wait: by cause of failures, or by the limit that is used up.',
  })
  const heldUntilMs = new Map<string, number>()
  const wait = (account: string, untilMs: number, cause: string) => {
    const fromMs = Math.max(runtime.now(), heldUntilMs.get(account) ?? 0)
    if (untilMs <= fromMs) return
    if (heldUntilMs.size >= ACCOUNTS_MAX) heldUntilMs.clear()
    heldUntilMs.set(account, untilMs)
    seconds.add((untilMs - fromMs) / 1000, { cause })
  }
  return all([
    events.on('limit.wait', ({ account, untilMs, cause }) => wait(account, untilMs, cause)),
    events.on('limit.bound', ({ account, untilMs, limit }) => wait(account, untilMs, LIMIT_NAMES[limit.kind])),
  ])
}

const LIMIT_NAMES: Readonly<Record<LimitFigure['kind'], string>> = {
  requests: 'limit_requests',
  tokens: 'limit_tokens',
  inputTokens: 'limit_input_tokens',
  outputTokens: 'limit_output_tokens',
}

function measureTrouble(meter: Meter, events: Events): () => void {
  const trouble = meter.createCounter('sluice_trouble', {
    description:
      'What went wrong beside rows, by what it was: a duty, a batch, a notice, a chunk that was lost to another worker.',
  })
  const kinds = {
    'duty.failed': 'duty',
    'batch.trouble': 'batch',
    'notice.undelivered': 'notice',
    'chunk.stale': 'stale_chunk',
    'worker.lapsed': 'lapsed',
  } as const satisfies { [N in keyof EventMap]?: string }
  let failing = 0
  meter
    .createObservableGauge('sluice_storage_failing', { description: '1 while the store cannot be written from here.' })
    .addCallback((result) => result.observe(failing))
  const offs = [
    ...(Object.keys(kinds) as (keyof typeof kinds)[]).map((name) =>
      events.on(name, () => trouble.add(1, { what: kinds[name] })),
    ),
    events.on('storage.failing', () => {
      failing = 1
    }),
    events.on('storage.back', () => {
      failing = 0
    }),
  ]
  return all(offs)
}
