import { SluiceError } from '../errors.ts'
import { keyOf } from './row-key.ts'
import type { Source, SourceItem } from './source.ts'

/** Which items of the input become rows of the job; unreadable lines are items too. */
export type Selection =
  | { readonly kind: 'first'; readonly n: number }
  /** `n` items drawn evenly; the same seed draws the same ones. They keep their order. */
  | { readonly kind: 'sample'; readonly n: number; readonly seed: number }
  /** By `input.key`, or by index from 0 where the spec has none. */
  | { readonly kind: 'keys'; readonly keys: readonly string[] }

/** Decides item by item, in order. */
export interface Picker {
  takes(ordinal: number, item: SourceItem): boolean
  /** No item from `ordinal` on is taken: reading can stop. */
  isOver(ordinal: number): boolean
  /** What was asked for by name and taken, in the order of the rows: to go on in another process. */
  found(): readonly string[]
  /** Throws `row_not_found` when something that was asked for by name was not there. */
  finish(): void
}

/** Makes the picker for a selection (`null`: everything) among the first `limit` items. A sample reads the input once to count it. */
export async function createPicker(
  selection: Selection | null,
  limit: number | null,
  source: Source,
  keyColumn: number | null,
  found: readonly string[],
  signal: AbortSignal,
): Promise<Picker> {
  const most = limit ?? Number.POSITIVE_INFINITY
  if (selection?.kind === 'keys') return keyPicker(selection.keys, most, keyColumn, found)
  if (selection?.kind === 'sample') return ordinalPicker(await drawSample(source, selection, most, signal))
  const n = selection?.kind === 'first' ? Math.min(selection.n, most) : most
  return Object.freeze({
    takes: (ordinal: number) => ordinal < n,
    isOver: (ordinal: number) => ordinal >= n,
    found: () => [],
    finish: () => undefined,
  })
}

function ordinalPicker(ordinals: ReadonlySet<number>): Picker {
  const last = Math.max(-1, ...ordinals)
  return Object.freeze({
    takes: (ordinal: number) => ordinals.has(ordinal),
    isOver: (ordinal: number) => ordinal > last,
    found: () => [],
    finish: () => undefined,
  })
}

function keyPicker(keys: readonly string[], most: number, keyColumn: number | null, before: readonly string[]): Picker {
  const found = [...before]
  const wanted = new Set(keys)
  for (const key of found) wanted.delete(key)
  return Object.freeze({
    takes(ordinal: number, item: SourceItem) {
      const key = keyColumn === null ? String(ordinal) : item.kind === 'row' ? keyOf(item.values[keyColumn]) : null
      if (key === null || !wanted.delete(key)) return false
      found.push(key)
      return true
    },
    isOver: (ordinal: number) => wanted.size === 0 || ordinal >= most,
    found: () => found,
    finish() {
      if (wanted.size === 0) return
      const list = [...wanted].map((key) => JSON.stringify(key)).join(', ')
      throw new SluiceError('row_not_found', `the input has no row ${list}`)
    },
  })
}

/** Algorithm R (Vitter 1985) over the items' numbers: memory for `n` numbers, whatever the input's size. */
async function drawSample(
  source: Source,
  { n, seed }: { n: number; seed: number },
  most: number,
  signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const random = mulberry32(seed)
  const drawn: number[] = []
  let ordinal = 0
  for await (const batch of source.read(null)) {
    signal.throwIfAborted()
    for (let at = 0; at < batch.items.length && ordinal < most; at++, ordinal++) {
      const place = ordinal < n ? ordinal : Math.floor(random() * (ordinal + 1))
      if (place < n) drawn[place] = ordinal
    }
    if (ordinal >= most) break
  }
  return new Set(drawn)
}

/** A small generator of evenly spread numbers in [0, 1) (Tommy Ettinger's mulberry32), for draws that must be repeatable. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
