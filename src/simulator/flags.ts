import { BATCH_FLAGS, batchContradictions, batchOptionsOf } from './batch/flags.ts'
import { ASK_FAULTS, BODY_FAULTS, type Fault } from './fault.ts'
import { changeOf, EXPECTED, numberAt, parseValue, type SimulatorFlag, type Values } from './flag-value.ts'
import { DEFAULT_FLEX } from './flex.ts'
import type { LimitChange } from './limits.ts'
import type { SimulatorOptions } from './options.ts'
import { ANY_MODEL, DEFAULT_SIMULATED_PRICE } from './price.ts'

const FAULT_HELP: Readonly<Record<Fault, string>> = {
  rate_limited: 'share of requests answered 429 with retry-after',
  overloaded: 'share answered 503, or 529 as Anthropic',
  server_error: 'share answered 500',
  reset: 'share whose connection is broken',
  slow: 'share that takes --slow-for',
  malformed: 'share of JSON answers that are not JSON',
  schema_missing: 'share of JSON answers that miss a field or hold a wrong value',
  truncated: 'share cut off as too long',
  refusal: 'share of prompts that are refused, however often they are asked',
  content_filter: 'share of prompts that are blocked, however often they are asked',
}

/** Every flag, in the order in which help shows them. */
export const SIMULATOR_FLAGS: readonly SimulatorFlag[] = Object.freeze([
  { name: 'seed', kind: 'integer', help: 'answers and faults are drawn from it (default 1)' },
  { name: 'latency', kind: 'duration', help: 'median time of an answer (default 0)' },
  { name: 'latency-p99', kind: 'duration', help: 'one of a hundred takes longer (default: the median)' },
  {
    name: 'extra-output',
    kind: 'count',
    help: 'median of the tokens billed beyond the text, as for thinking (default 0)',
  },
  { name: 'extra-output-p99', kind: 'count', help: 'one of a hundred is billed more (default: the median)' },
  { name: 'rpm', kind: 'count', help: 'requests per minute (default: no limit)' },
  { name: 'tpm', kind: 'count', help: 'tokens per minute (default: no limit)' },
  { name: 'concurrency', kind: 'count', help: 'requests at once; more are turned away as overload' },
  { name: 'limits-after', kind: 'change', help: 'other limits from a time on, such as 60s:rpm=300,tpm=30000' },
  { name: 'silent-limits', kind: 'switch', help: 'headers tell of no limits' },
  { name: 'capacity', kind: 'count', help: 'requests worked on at once; more wait in line, none is turned away' },
  { name: 'context', kind: 'count', help: 'longest prompt in tokens (default: no limit)' },
  ...[...ASK_FAULTS, ...BODY_FAULTS].map((fault) => ({
    name: fault.replaceAll('_', '-'),
    kind: 'share' as const,
    help: FAULT_HELP[fault],
  })),
  { name: 'slow-for', kind: 'duration', help: 'what a slow answer takes (default 30s)' },
  { name: 'retry-after', kind: 'duration', help: 'what a drawn 429 asks to wait (default 100ms)' },
  { name: 'bad-key', kind: 'switch', help: 'refuse every key (the key "bad-key" is always refused)' },
  { name: 'quota', kind: 'integer', help: 'answers until the account has no credit left (default: no end)' },
  {
    name: 'price-input',
    kind: 'price',
    help: `USD per million input tokens (default ${DEFAULT_SIMULATED_PRICE.input})`,
  },
  {
    name: 'price-output',
    kind: 'price',
    help: `USD per million output tokens (default ${DEFAULT_SIMULATED_PRICE.output})`,
  },
  { name: 'price-cached-input', kind: 'price', help: 'USD per million cached input tokens (default: as input)' },
  { name: 'price-cache-write', kind: 'price', help: 'USD per million tokens written to the cache (default: as input)' },
  { name: 'flex-latency', kind: 'count', help: `how many times as long flex takes (default ${DEFAULT_FLEX.slower})` },
  { name: 'flex-refused', kind: 'share', help: 'share of flex requests for which there is no room' },
  { name: 'flex-none', kind: 'switch', help: 'no model is to be had as flex' },
  ...BATCH_FLAGS,
] satisfies readonly SimulatorFlag[])

export type ParsedFlags =
  | { readonly ok: true; readonly options: Omit<SimulatorOptions, 'nowMs' | 'after'> }
  | { readonly ok: false; readonly errors: readonly string[] }

type Given = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * The options that a record of flags asks for; names may be typed (`rate-limited`) or in camel case, as CLI parsers hand them on.
 * Shares are `0.2` or `20%`, durations `200ms`, `2s`, `1m` or bare milliseconds. All errors at once, each naming its flag.
 */
export function parseSimulatorFlags(given: Given): ParsedFlags {
  const errors: string[] = []
  const values = new Map<string, number | string | boolean>()
  for (const [key, raw] of Object.entries(given)) {
    if (raw === undefined || raw === false) continue
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    const flag = SIMULATOR_FLAGS.find((one) => one.name === name)
    const value = flag === undefined ? null : parseValue(flag.kind, raw)
    if (flag === undefined) errors.push(`--${name}: no such flag of the simulator`)
    else if (value === null) errors.push(`--${name}: expected ${EXPECTED[flag.kind]}, got '${raw}'`)
    else values.set(name, value)
  }
  errors.push(...contradictions(values))
  return errors.length > 0 ? { ok: false, errors } : { ok: true, options: optionsOf(values) }
}

function contradictions(values: Values): readonly string[] {
  const errors: string[] = []
  for (const faults of [ASK_FAULTS, BODY_FAULTS]) {
    const names = faults.map((fault) => fault.replaceAll('_', '-'))
    const sum = names.reduce((total, name) => total + (numberAt(values, name) ?? 0), 0)
    if (sum > 1 + 1e-9) errors.push(`${names.map((name) => `--${name}`).join(', ')}: together more than a whole`)
  }
  const p99 = numberAt(values, 'latency-p99')
  if (p99 !== null && p99 < (numberAt(values, 'latency') ?? 0))
    errors.push('--latency-p99: expected at least --latency')
  if (p99 !== null && numberAt(values, 'latency') === null) errors.push('--latency-p99: expected --latency beside it')
  const extraP99 = numberAt(values, 'extra-output-p99')
  if (extraP99 !== null && extraP99 < (numberAt(values, 'extra-output') ?? Number.POSITIVE_INFINITY))
    errors.push('--extra-output-p99: expected --extra-output beside it, and at least that')
  return [...errors, ...batchContradictions(values)]
}

function optionsOf(values: Values): Omit<SimulatorOptions, 'nowMs' | 'after'> {
  const number = (name: string) => numberAt(values, name)
  const medianMs = number('latency') ?? 0
  const extra = number('extra-output') ?? 0
  const shares = [...ASK_FAULTS, ...BODY_FAULTS].map((fault) => [fault, number(fault.replaceAll('_', '-')) ?? 0])
  return {
    seed: number('seed') ?? 1,
    latency: { medianMs, p99Ms: number('latency-p99') ?? medianMs },
    extraOutput: { median: extra, p99: number('extra-output-p99') ?? extra },
    limits: {
      rpm: number('rpm'),
      tpm: number('tpm'),
      concurrency: number('concurrency'),
      changes: values.has('limits-after') ? [changeOf(String(values.get('limits-after'))) as LimitChange] : [],
    },
    capacity: number('capacity'),
    silentLimits: values.has('silent-limits'),
    faults: Object.fromEntries(shares) as Record<Fault, number>,
    slowMs: number('slow-for') ?? 30_000,
    retryAfterMs: number('retry-after') ?? 100,
    contextTokens: number('context'),
    badKey: values.has('bad-key'),
    quotaRequests: number('quota'),
    prices: {
      [ANY_MODEL]: {
        input: String(values.get('price-input') ?? DEFAULT_SIMULATED_PRICE.input),
        output: String(values.get('price-output') ?? DEFAULT_SIMULATED_PRICE.output),
        ...(values.has('price-cached-input') && { cachedInput: String(values.get('price-cached-input')) }),
        ...(values.has('price-cache-write') && { cacheWrite: String(values.get('price-cache-write')) }),
      },
    },
    flex: {
      slower: number('flex-latency') ?? DEFAULT_FLEX.slower,
      refused: number('flex-refused') ?? 0,
      none: values.has('flex-none'),
    },
    batches: batchOptionsOf(values),
  }
}
