/** Slots that a table begins with; a power of two. */
const FIRST_SLOTS = 4096

/** A table keyed by the first 64 bits of hashes, each with two numbers of 32 bits and a flag byte: 17 bytes a slot, half of the slots in use. */
export interface HashTable {
  readonly size: number
  /** The slot of a key, which is added where it is missing. Slots move when a key is added: use one at once. */
  slotOf(hash: string): { readonly slot: number; readonly added: boolean }
  /** The slot of a key; -1: it is not there. */
  find(hash: string): number
  readonly first: Uint32Array
  readonly second: Uint32Array
  readonly flags: Uint8Array
  /** All slots in use. */
  slots(): Iterable<number>
  /** Removes what does not fit, by the last 32 of a key's bits. */
  keep(fits: (low: number) => boolean): void
}

/** The last 32 of the 64 bits of a hex hash that a table knows it by. */
export function lowBits(hash: string): number {
  return Number.parseInt(hash.slice(8, 16), 16)
}

interface Arrays {
  readonly high: Uint32Array
  readonly low: Uint32Array
  readonly first: Uint32Array
  readonly second: Uint32Array
  readonly flags: Uint8Array
}

const USED = 128

/**
 * Creates an empty table; open addressing, doubled when half full. Among a million keys two share their 64 bits once in 37 million tables: that is
 * taken for one row.
 */
export function createHashTable(): HashTable {
  let arrays = arraysOf(FIRST_SLOTS)
  let size = 0
  const place = (high: number, low: number) => placeIn(arrays, high, low)
  const rebuild = (slots: number, fits: (low: number) => boolean) => {
    const old = arrays
    arrays = arraysOf(slots)
    size = 0
    for (let at = 0; at < old.flags.length; at++) {
      if (old.flags[at] === 0 || !fits(old.low[at] as number)) continue
      const slot = place(old.high[at] as number, old.low[at] as number)
      for (const name of ['high', 'low', 'first', 'second', 'flags'] as const)
        arrays[name][slot] = old[name][at] as number
      size += 1
    }
  }
  return Object.freeze({
    get size() {
      return size
    },
    get first() {
      return arrays.first
    },
    get second() {
      return arrays.second
    },
    /** The highest bit is the table's own. */
    get flags() {
      return arrays.flags
    },
    find(hash: string) {
      const slot = place(highBits(hash), lowBits(hash))
      return arrays.flags[slot] === 0 ? -1 : slot
    },
    slotOf(hash: string) {
      const [high, low] = [highBits(hash), lowBits(hash)]
      if (2 * (size + 1) > arrays.flags.length) rebuild(2 * arrays.flags.length, () => true)
      const slot = place(high, low)
      if (arrays.flags[slot] !== 0) return { slot, added: false }
      arrays.high[slot] = high
      arrays.low[slot] = low
      arrays.flags[slot] = USED
      size += 1
      return { slot, added: true }
    },
    *slots() {
      for (let at = 0; at < arrays.flags.length; at++) if (arrays.flags[at] !== 0) yield at
    },
    keep: (fits: (low: number) => boolean) => rebuild(arrays.flags.length, fits),
  })
}

function highBits(hash: string): number {
  return Number.parseInt(hash.slice(0, 8), 16)
}

function arraysOf(slots: number): Arrays {
  const words = () => new Uint32Array(slots)
  return { high: words(), low: words(), first: words(), second: words(), flags: new Uint8Array(slots) }
}

/** The slot that holds a key, or the free one where it belongs. */
function placeIn({ high, low, flags }: Arrays, keyHigh: number, keyLow: number): number {
  const mask = flags.length - 1
  let slot = keyHigh & mask
  while (flags[slot] !== 0 && (high[slot] !== keyHigh || low[slot] !== keyLow)) slot = (slot + 1) & mask
  return slot
}
