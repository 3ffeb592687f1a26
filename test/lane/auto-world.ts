import type { Way } from '../../src/domain/route.ts'
import { type Choice, chooseWay, closingMs, type WayFigures } from '../../src/lane/choose-way.ts'
import { keepDeadline } from '../../src/lane/keep-deadline.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

/** A job, an account, and how the provider will turn out to be. */
export interface World {
  readonly rows: number
  /** `null`: none. */
  readonly deadlineMs: number | null
  /** Rows that are really answered live in a minute, and how many times more cautious the estimate is. */
  readonly livePerMinute: number
  readonly caution?: number
  /** What a row costs; live with what its prompt cache saves. */
  readonly liveNano?: number
  readonly batchNano?: number
  /** `null`: no flex. Rows that are really answered as flex in a minute. */
  readonly flexPerMinute?: number | null
  /** How long the account's batches took so far. */
  readonly past?: readonly number[]
  /** How long each batch takes now, in the order of sending; the last for all that follow. */
  readonly batchMs: readonly number[]
  readonly batchRows?: number
  /** Rows that its queue holds at a time. */
  readonly queueRows?: number
  readonly recallMs?: number
  /** How long a batch really takes to end that is called back. */
  readonly cancelMs?: number
}

/** How a job went. */
export interface Ended {
  readonly costNano: number
  readonly ms: number
  readonly inTime: boolean
  readonly choice: Choice | null
}

const STEP = 10_000

/** Runs a job in a world: by the way that is chosen, or by one that is given and kept to. */
export function runDay(world: World, only: Way | null = null): Ended {
  const w = { caution: 1.3, liveNano: 100, batchNano: 50, flexPerMinute: null, past: [], batchRows: 50_000, ...world }
  const recallMs = w.recallMs ?? 15 * MINUTE
  const queueRows = w.queueRows ?? Number.POSITIVE_INFINITY
  const liveMsPerRow = MINUTE / w.livePerMinute
  const cautious = liveMsPerRow * w.caution
  const flexMs = () => MINUTE / (w.flexPerMinute as number)
  const choice = only === null ? chooseWay(choicesOf()) : null
  let way: Way = only ?? (choice as Choice).way
  let [nowMs, costNano, packed, ready, flexing] = [0, 0, 0, 0, 0]
  if (way === 'batch') packed = w.rows
  else if (way === 'flex') flexing = w.rows
  else ready = w.rows
  let sent = 0
  const out: { id: string; requests: number; sentAtMs: number; endMs: number; called: boolean }[] = []
  while (packed + ready + flexing + out.length > 0) {
    // What has ended: a batch gives all of its rows, or, where it was called back before, none.
    for (const batch of out.filter(({ endMs }) => endMs <= nowMs)) {
      out.splice(out.indexOf(batch), 1)
      if (batch.called) ready += batch.requests
      else costNano += batch.requests * w.batchNano
    }
    for (let atBatches = sum(out); packed > 0 && atBatches < queueRows; atBatches = sum(out)) {
      const requests = Math.min(packed, w.batchRows, queueRows - atBatches)
      const takesMs = w.batchMs[Math.min(sent, w.batchMs.length - 1)] as number
      sent += 1
      out.push({ id: `b${sent}`, requests, sentAtMs: nowMs, endMs: nowMs + takesMs, called: false })
      packed -= requests
    }
    if (only === null && w.deadlineMs !== null) hurry()
    const done = Math.min(ready, Math.floor(STEP / liveMsPerRow))
    ready -= done
    costNano += done * w.liveNano
    if (flexing > 0) {
      const flexed = Math.min(flexing, Math.floor(STEP / flexMs()))
      flexing -= flexed
      costNano += flexed * w.batchNano
    }
    nowMs += STEP
  }
  const ms = nowMs + closingMs(w.rows)
  return { costNano, ms, inTime: w.deadlineMs === null || ms <= w.deadlineMs, choice }

  function hurry(): void {
    const haste = keepDeadline({
      nowMs,
      deadlineAtMs: w.deadlineMs as number,
      way,
      rows: w.rows,
      left: packed + ready + flexing + sum(out),
      packed,
      out,
      leaving: 0,
      liveMsPerRow: cautious,
      recallMs,
    })
    if (haste === null) return
    if (haste.goLive) {
      way = 'live'
      ready += flexing
      flexing = 0
    }
    packed -= haste.takeBack
    ready += haste.takeBack
    for (const batch of out.filter(({ id }) => haste.callBack.includes(id))) {
      const endMs = nowMs + (w.cancelMs ?? 5 * MINUTE)
      // It may be over before that.
      if (endMs >= batch.endMs) continue
      batch.called = true
      batch.endMs = endMs
    }
  }

  function choicesOf() {
    const figures = (nano: number): Omit<WayFigures, 'ms'> => ({
      costNano: { low: nano * w.rows, expected: nano * w.rows, high: nano * w.rows },
      permille: 500,
      basis: 'the world',
    })
    const range = (ms: number) => ({ low: ms, expected: ms, high: ms * w.caution })
    return {
      live: { ...figures(w.liveNano), permille: 1000, ms: range(w.rows * liveMsPerRow) },
      flex: w.flexPerMinute === null ? null : { ...figures(w.batchNano), ms: range(w.rows * flexMs()) },
      batch: {
        ...figures(w.batchNano),
        ms: null,
        past: w.past,
        waves: Math.max(1, Math.ceil(w.rows / queueRows)),
        recallMs,
      },
      leftMs: w.deadlineMs,
      rows: w.rows,
    }
  }
}

function sum(batches: readonly { readonly requests: number }[]): number {
  return batches.reduce((total, { requests }) => total + requests, 0)
}

/** The least that the job could have cost on one way alone, by somebody who knows what will come; `null`: none is in time. */
export function cheapestInTime(world: World): number | null {
  const ways: readonly Way[] = world.flexPerMinute == null ? ['live', 'batch'] : ['live', 'batch', 'flex']
  const costs = ways.map((way) => runDay(world, way)).filter(({ inTime }) => inTime)
  return costs.length === 0 ? null : Math.min(...costs.map(({ costNano }) => costNano))
}
