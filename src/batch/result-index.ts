import type { BatchPart } from '../domain/batch.ts'
import type { ResultLine } from './batch-api.ts'
import { readRequestId } from './request-lines.ts'

/** Where a line lies in a file, without its end. */
export interface LineSpan {
  readonly offset: number
  readonly length: number
}

/** How the lines of a batch's results fit what was asked. */
export interface ResultTally {
  /** Lines that are the result of a request. */
  readonly found: number
  /** Requests without a line. */
  readonly missing: number
  /** Lines for a request that had one. */
  readonly doubled: number
  /** Lines of ids that were not asked. */
  readonly foreign: number
  /** Lines that name no id. */
  readonly nameless: number
}

/** The lines of a batch's results by the place of their requests. Memory: some hundred bytes for each line. */
export interface ResultIndex {
  add(line: ResultLine, span: LineSpan): void
  /** Lines of one part, by its rows. */
  ofPart(partId: string): readonly LineSpan[]
  /** All other lines, in their order. */
  readonly rest: readonly LineSpan[]
  tally(): ResultTally
}

interface Entry extends LineSpan {
  readonly answers: boolean
}

/**
 * An index for the results of these parts. Of several lines for one request the first counts, but for one thing: an answer goes before what is none,
 * since it was paid.
 */
export function createResultIndex(parts: readonly BatchPart[]): ResultIndex {
  const slots = new Map(
    parts.map((part) => [part.id, new Map<number, Entry | null>(part.rows.map((row) => [row, null]))]),
  )
  const rest: LineSpan[] = []
  const requests = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  let [found, doubled, foreign, nameless] = [0, 0, 0, 0]

  return Object.freeze({
    add({ id, result }: ResultLine, span: LineSpan) {
      const place = readRequestId(id ?? '')
      const rows = place === null ? undefined : slots.get(place.partId)
      const before = place === null ? undefined : rows?.get(place.rowIndex)
      if (place === null || rows === undefined || before === undefined) {
        if (id === null) nameless += 1
        else foreign += 1
        rest.push(span)
        return
      }
      const answers = result.kind === 'reply' && result.status >= 200 && result.status < 300
      const entry = { ...span, answers }
      if (before === null) {
        rows.set(place.rowIndex, entry)
        found += 1
        return
      }
      doubled += 1
      const better = answers && !before.answers
      if (better) rows.set(place.rowIndex, entry)
      rest.push(better ? { offset: before.offset, length: before.length } : span)
    },
    ofPart: (partId: string) => [...(slots.get(partId)?.values() ?? [])].filter((entry) => entry !== null),
    rest,
    tally: () => ({ found, missing: requests - found, doubled, foreign, nameless }),
  })
}
