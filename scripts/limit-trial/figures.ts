import { existsSync, readFileSync } from 'node:fs'
import { MAX_OUTPUT, SATURATED, type TrialCase } from './cases.ts'

/** One line of the simulator's request log, as far as the trial needs it. */
export interface Logged {
  /** When it arrived, UTC ms. */
  readonly time: number
  readonly status: number
  readonly input_tokens: number
}

/** What a stretch of a trial came to. */
export interface Figures {
  readonly requests: number
  readonly refused: number
  /** Of all requests. */
  readonly refusedShare: number
  /** Of the limit that binds; `null`: none does. */
  readonly limitShare: number | null
  /** The most in any ten seconds, of what the limit lets through in that time. */
  readonly worst10s: number | null
}

/** The requests in the simulator's log, as they arrived. */
export function readLog(path: string): readonly Logged[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Logged)
    .sort((a, b) => a.time - b.time)
}

/** How the requests between two times used the case's limits. */
export function figuresOf(trial: TrialCase, log: readonly Logged[], fromMs: number, toMs: number): Figures {
  const here = log.filter(({ time }) => time >= fromMs && time < toMs)
  const let_in = here.filter(({ status }) => status === 200)
  const minutes = (toMs - fromMs) / 60_000
  const share = (some: readonly Logged[], over: number) => {
    const shares = limitsOf(trial, fromMs, log).map(
      ({ perMinute, amount }) => sum(some.map(amount)) / (perMinute * over),
    )
    return shares.length === 0 ? null : Math.max(...shares)
  }
  let worst10s: number | null = null
  for (let at = fromMs; at + 10_000 <= toMs; at += 1_000) {
    const some = let_in.filter(({ time }) => time >= at && time < at + 10_000)
    const of = share(some, 1 / 6)
    if (of !== null) worst10s = Math.max(worst10s ?? 0, of)
  }
  const refused = here.filter(({ status }) => status === 429).length
  return {
    requests: here.length,
    refused,
    refusedShare: here.length === 0 ? 0 : refused / here.length,
    limitShare: share(let_in, minutes),
    worst10s,
  }
}

/** After a change: seconds until a stretch of five seconds is within 95 and 105 % of the new limit, and stays so for the next ten. */
export function settledAfterS(trial: TrialCase, log: readonly Logged[], changedMs: number): number | null {
  const perS = (trial.changed?.rpm ?? 0) / 60
  const rate = (at: number) =>
    log.filter(({ time, status }) => status === 200 && time >= at && time < at + 5_000).length / 5 / perS
  for (let s = 0; s < 60; s += 1) {
    const rates = [0, 5, 10].map((more) => rate(changedMs + (s + more) * 1000))
    if (rates.every((one) => one >= 0.95 && one <= 1.06)) return s
  }
  return null
}

/** Requests a second of the saturating server, as a share of its best. */
export function throughputShare(figures: Figures, seconds: number): number {
  return figures.requests / seconds / SATURATED.perSecond
}

function limitsOf(trial: TrialCase, fromMs: number, log: readonly Logged[]) {
  const changedMs = (log[0]?.time ?? 0) + (trial.changed?.afterS ?? Number.POSITIVE_INFINITY) * 1000
  const rpm = trial.changed !== undefined && fromMs >= changedMs ? trial.changed.rpm : trial.rpm
  // The simulator takes tokens as the provider does that it speaks like.
  const tokens = ({ input_tokens }: Logged) =>
    trial.model === 'openai-compatible' ? Math.max(input_tokens, MAX_OUTPUT) : input_tokens
  return [
    ...(rpm === undefined ? [] : [{ perMinute: rpm, amount: () => 1 }]),
    ...(trial.tpm === undefined ? [] : [{ perMinute: trial.tpm, amount: tokens }]),
  ]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
