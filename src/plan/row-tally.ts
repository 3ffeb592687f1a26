import type { PlannedRows } from '../domain/plan.ts'
import type { Row } from '../domain/row.ts'
import type { RowProgram, Sendable } from '../row/row.ts'
import { createHashTable, lowBits } from './hash-table.ts'
import { requestBytes } from './request-bytes.ts'

/** Different requests that are told apart exactly; of more, the share of a sample is taken. 2 million: 68 MB. */
export const MOST_REQUESTS = 2_000_000

/** A row that is to be sent, and what is sent. */
export interface SendableRow {
  readonly row: Row
  readonly sendable: Sendable
  readonly bytes: number
}

export type KeptAnswer = 'accepted' | 'refused'

export interface TallyOptions {
  readonly program: RowProgram
  /** The answers that are kept for these rows, by request hash: `accepted`, or `refused` by what is asked of answers today. */
  readonly answersOf: (rows: readonly SendableRow[]) => Promise<ReadonlyMap<string, KeptAnswer>>
  /** Whether rows that ask the same share one answer. */
  readonly sharesAnswers: boolean
  /** Told of every row that would be paid for; `weight`: how many it stands for. */
  readonly onPaid?: (row: SendableRow, weight: number, kept: KeptAnswer | null) => void
  /** @default MOST_REQUESTS */
  readonly mostRequests?: number
}

/** What is known of the rows of an input when all have been gone over. */
export interface Tally {
  readonly rows: PlannedRows
  /** Of the rows to run. */
  readonly bytes: number
  readonly worstInputTokens: number
  readonly worstOutputTokens: number
}

/** Goes over rows in whatever portions they come; its memory does not grow beyond `mostRequests`. */
export interface RowTally {
  add(rows: readonly Row[], unreadable: number): Promise<void>
  finish(): Tally
}

/** Set in a table's flags: the request is answered already. */
const ANSWERED = 1

const NO_FALLBACK = { fallbackAllowed: () => false }

/**
 * Counts rows by what a run would do with them. Beyond `mostRequests` different requests it keeps those whose hash ends in so many zero bits, and
 * counts each for all that it stands for (distinct sampling: Gibbons 2001, VLDB): every row is still rendered, but of the repeated and the answered
 * ones only the share is known.
 */
export function createRowTally(options: TallyOptions): RowTally {
  const { program, answersOf, sharesAnswers, onPaid } = options
  const most = options.mostRequests ?? MOST_REQUESTS
  const seen = createHashTable()
  const counts = { total: 0, unreadable: 0, skipped: 0, failing: 0, sendable: 0 }
  const each = { bytes: 0, worstInput: 0, worstOutput: 0 }
  let zeroBits = 0
  const fits = (low: number) => low % 2 ** zeroBits === 0

  const thinOut = () => {
    while (seen.size > most) {
      zeroBits += 1
      seen.keep(fits)
    }
  }
  /** Rows that nobody has asked before in this input. */
  const novelOf = (rows: readonly SendableRow[]) =>
    rows.filter(({ sendable, bytes }) => {
      if (!fits(lowBits(sendable.requestHash))) return false
      const { slot, added } = seen.slotOf(sendable.requestHash)
      seen.first[slot] = bytes
      seen.second[slot] = (seen.second[slot] as number) + 1
      return added || !sharesAnswers
    })
  const render = (rows: readonly Row[]) => {
    const sendable: SendableRow[] = []
    for (const row of rows) {
      const prepared = program.prepare(row, [], NO_FALLBACK)
      if (prepared.kind === 'skip') counts.skipped += 1
      else if (prepared.kind === 'fail') counts.failing += 1
      else sendable.push({ row, sendable: prepared, bytes: requestBytes(prepared.request) })
    }
    return sendable
  }
  return Object.freeze({
    async add(rows: readonly Row[], unreadable: number) {
      counts.total += rows.length + unreadable
      counts.unreadable += unreadable
      const sendable = render(rows)
      for (const { bytes, sendable: next } of sendable) {
        each.bytes += bytes
        each.worstInput += next.worstInputTokens
        each.worstOutput += next.worstOutputTokens
      }
      counts.sendable += sendable.length
      const novel = novelOf(sendable)
      const kept = novel.length === 0 ? new Map<string, KeptAnswer>() : await answersOf(novel)
      for (const row of novel) {
        const { requestHash } = row.sendable
        const slot = seen.find(requestHash)
        const answer = kept.get(requestHash) ?? null
        if (answer === 'accepted') seen.flags[slot] = (seen.flags[slot] as number) | ANSWERED
        else onPaid?.(row, 2 ** zeroBits, answer)
      }
      thinOut()
    },
    finish: () => sumUp(),
  })

  function sumUp(): Tally {
    const sum = { run: 0, runBytes: 0, reuse: 0, rows: 0, bytes: 0 }
    for (const slot of seen.slots()) {
      const [bytes, rows] = [seen.first[slot] as number, seen.second[slot] as number]
      sum.rows += rows
      sum.bytes += rows * bytes
      const isAnswered = ((seen.flags[slot] as number) & ANSWERED) !== 0
      if (isAnswered) sum.reuse += rows
      const paid = isAnswered ? 0 : sharesAnswers ? 1 : rows
      sum.run += paid
      sum.runBytes += paid * bytes
    }
    // In a sample the shares are kept: of all rows, and of all bytes.
    const exact = zeroBits === 0
    const rowShare = exact ? 1 : counts.sendable / Math.max(1, sum.rows)
    const byteShare = exact ? 1 : each.bytes / Math.max(1, sum.bytes)
    const toRun = Math.round(sum.run * rowShare)
    const reuse = Math.min(counts.sendable - toRun, Math.round(sum.reuse * rowShare))
    const { total, unreadable, skipped, failing, sendable } = counts
    const bytes = Math.round(sum.runBytes * byteShare)
    const perRow = sendable === 0 ? 0 : 1 / sendable
    return {
      rows: { total, toRun, reuse, duplicates: sendable - toRun - reuse, skipped, unreadable, failing, exact },
      bytes,
      // What stands around the texts of a request is the same for every row.
      worstInputTokens: Math.round(bytes + toRun * (each.worstInput - each.bytes) * perRow),
      worstOutputTokens: Math.round(toRun * each.worstOutput * perRow),
    }
  }
}
