/** What was made of late, so that those who ask for the same at about the same time share it. */
export interface Kept<T> {
  /** What is kept under the key, or what `make` makes, once for all who ask meanwhile. What it rejects with is not kept. */
  get(key: string, make: () => Promise<T>): Promise<T>
}

/** Keeps what was asked for last, up to `most` in all by what `sizeOf` says of each; it may be more while it is made. */
export function createKept<T>(most: number, sizeOf: (item: T) => number): Kept<T> {
  const kept = new Map<string, { readonly item: Promise<T>; size: number }>()
  let total = 0

  const forget = (key: string) => {
    total -= kept.get(key)?.size ?? 0
    kept.delete(key)
  }
  return Object.freeze({
    get(key: string, make: () => Promise<T>) {
      const known = kept.get(key)
      if (known !== undefined) {
        kept.delete(key)
        kept.set(key, known)
        return known.item
      }
      const entry = { item: make(), size: 0 }
      kept.set(key, entry)
      entry.item.then(
        (item) => {
          if (kept.get(key) !== entry) return
          entry.size = sizeOf(item)
          total += entry.size
          for (const oldest of kept.keys()) {
            if (total <= most || oldest === key) break
            forget(oldest)
          }
        },
        () => forget(key),
      )
      return entry.item
    },
  })
}
