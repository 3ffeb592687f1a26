/** Output tokens that a request asks for at the most: what OpenAI reserves of its token limit where the prompt is shorter. */
export const MAX_OUTPUT = 200

/** One thing that must be seen to work. */
export interface TrialCase {
  readonly name: string
  /** Flags of `sluice simulate`. */
  readonly provider: readonly string[]
  readonly model: 'openai-compatible' | 'anthropic' | 'google'
  /** The limits that bind, from the start and after a change. */
  readonly rpm?: number
  readonly tpm?: number
  readonly changed?: { readonly afterS: number; readonly rpm: number }
  readonly jobs: 1 | 2
  readonly spec: string
  readonly kind: 'limit' | 'saturated' | 'down'
}

const LATENCY = ['--latency', '400ms', '--latency-p99', '3s']
const base = { model: 'openai-compatible', jobs: 1, spec: 'concurrency: { max: 64 }', kind: 'limit' } as const
const RPM = ['--rpm', '600', ...LATENCY]
const TPM = ['--tpm', '60000', ...LATENCY]
const CAPACITY = 12
const PLACE_MS = 500

/** Answers a second of the saturating server at its best, and its shortest time for one. */
export const SATURATED = { perSecond: (CAPACITY * 1000) / PLACE_MS, leastMs: PLACE_MS }

/** All cases, in the order in which they are told. */
export const CASES: readonly TrialCase[] = [
  { ...base, name: 'rpm', provider: RPM, rpm: 600 },
  { ...base, name: 'tpm', provider: TPM, tpm: 60_000 },
  { ...base, name: 'both', provider: ['--tpm', '130000', ...RPM], rpm: 600, tpm: 130_000 },
  {
    ...base,
    name: 'halved',
    provider: [...RPM, '--limits-after', '90s:rpm=300'],
    rpm: 600,
    changed: { afterS: 90, rpm: 300 },
  },
  { ...base, name: 'two-jobs', provider: RPM, rpm: 600, jobs: 2 },
  { ...base, name: 'anthropic-rpm', provider: RPM, model: 'anthropic', rpm: 600 },
  { ...base, name: 'anthropic-tpm', provider: TPM, model: 'anthropic', tpm: 60_000 },
  { ...base, name: 'gemini-rpm', provider: RPM, model: 'google', rpm: 600 },
  { ...base, name: 'gemini-tpm', provider: TPM, model: 'google', tpm: 60_000 },
  {
    ...base,
    name: 'gemini-halved',
    provider: [...RPM, '--limits-after', '90s:rpm=300'],
    model: 'google',
    rpm: 600,
    changed: { afterS: 90, rpm: 300 },
  },
  { ...base, name: 'silent', provider: ['--silent-limits', ...RPM], rpm: 600 },
  {
    ...base,
    name: 'given',
    provider: ['--silent-limits', ...RPM],
    rpm: 600,
    spec: 'concurrency: { max: 64 }\n  limits: { rpm: 600 }',
  },
  {
    ...base,
    name: 'saturated',
    provider: ['--capacity', String(CAPACITY), '--latency', `${PLACE_MS}ms`],
    spec: 'concurrency: { max: 256 }',
    kind: 'saturated',
  },
  { ...base, name: '429-for-ever', provider: ['--rate-limited', '1', ...LATENCY], kind: 'down' },
  { ...base, name: '503-for-ever', provider: ['--overloaded', '1', ...LATENCY], kind: 'down' },
]
