import { numberAt, type SimulatorFlag, type Values } from '../flag-value.ts'
import type { SimulatedLatency } from '../latency.ts'
import { type BatchOptions, EXCLUSIVE } from './options.ts'

/** The flags about batches, in the order in which help shows them. */
export const BATCH_FLAGS: readonly SimulatorFlag[] = Object.freeze([
  {
    name: 'batch-speed',
    kind: 'count',
    help: 'how much faster the clock of batches runs: 3600 makes an hour a second',
  },
  { name: 'batch-validating', kind: 'duration', help: 'median time that a batch is validated (default 0)' },
  { name: 'batch-validating-p99', kind: 'duration', help: 'one of a hundred takes longer (default: the median)' },
  { name: 'batch-running', kind: 'duration', help: 'median time that a batch is worked on (default 0)' },
  { name: 'batch-running-p99', kind: 'duration', help: 'one of a hundred takes longer (default: the median)' },
  { name: 'batch-finalizing', kind: 'duration', help: 'median time until its results are there (default 0)' },
  { name: 'batch-finalizing-p99', kind: 'duration', help: 'one of a hundred takes longer (default: the median)' },
  { name: 'batch-cancelling', kind: 'duration', help: 'time that a cancellation takes (default 0)' },
  { name: 'batch-queue-tokens', kind: 'count', help: 'input tokens of one model in batches (default: no limit)' },
  { name: 'batch-queue-requests', kind: 'count', help: 'requests of one model in batches (default: no limit)' },
  { name: 'batch-expired', kind: 'share', help: 'share of batches that run into the end of their window' },
  { name: 'batch-invalid', kind: 'share', help: 'share of batches that fail as a whole' },
  { name: 'batch-row-error', kind: 'share', help: 'share of their requests that fail on the side of the provider' },
  { name: 'batch-missing', kind: 'share', help: 'share of results without a line' },
  { name: 'batch-doubled', kind: 'share', help: 'share of results with two lines' },
  { name: 'batch-garbage', kind: 'share', help: 'share of results with a broken line' },
  { name: 'batch-shuffled', kind: 'switch', help: 'results come in another order' },
  { name: 'batch-uncached', kind: 'switch', help: 'the cache of prompts does not serve batches' },
  { name: 'batch-bad-gateway', kind: 'count', help: 'first downloads of each result that are answered 502' },
  { name: 'batch-broken-downloads', kind: 'count', help: 'downloads after these that break off midway' },
  { name: 'batch-create-cut', kind: 'share', help: 'share of create calls that break before the batch is there' },
  { name: 'batch-create-lost', kind: 'share', help: 'share of create calls that break after it is there' },
  { name: 'batch-call-error', kind: 'share', help: 'share of all other calls answered 500' },
] satisfies readonly SimulatorFlag[])

/** What is wrong with flags that are right by themselves. */
export function batchContradictions(values: Values): readonly string[] {
  const errors: string[] = []
  for (const names of EXCLUSIVE) {
    const sum = names.reduce((total, name) => total + (numberAt(values, flagOf(name)) ?? 0), 0)
    if (sum > 1 + 1e-9)
      errors.push(`${names.map((name) => `--${flagOf(name)}`).join(', ')}: together more than a whole`)
  }
  for (const phase of ['validating', 'running', 'finalizing'] as const) {
    const p99 = numberAt(values, `batch-${phase}-p99`)
    if (p99 !== null && p99 < (numberAt(values, `batch-${phase}`) ?? Number.POSITIVE_INFINITY))
      errors.push(`--batch-${phase}-p99: expected --batch-${phase} beside it, and at least that`)
  }
  return errors
}

function flagOf(option: string): string {
  return `batch-${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** The options that the flags ask for. */
export function batchOptionsOf(values: Values): BatchOptions {
  const number = (name: string) => numberAt(values, `batch-${name}`)
  const share = (name: keyof BatchOptions) => numberAt(values, flagOf(name)) ?? 0
  const time = (phase: string): SimulatedLatency => {
    const medianMs = number(phase) ?? 0
    return { medianMs, p99Ms: number(`${phase}-p99`) ?? medianMs }
  }
  return {
    speed: number('speed') ?? 1,
    validating: time('validating'),
    running: time('running'),
    finalizing: time('finalizing'),
    cancellingMs: number('cancelling') ?? 0,
    queueTokens: number('queue-tokens'),
    queueRequests: number('queue-requests'),
    expired: share('expired'),
    invalid: share('invalid'),
    rowError: share('rowError'),
    missing: share('missing'),
    doubled: share('doubled'),
    garbage: share('garbage'),
    shuffled: values.has('batch-shuffled'),
    uncached: values.has('batch-uncached'),
    badGateways: number('bad-gateway') ?? 0,
    brokenDownloads: number('broken-downloads') ?? 0,
    createCut: share('createCut'),
    createLost: share('createLost'),
    callError: share('callError'),
  }
}
