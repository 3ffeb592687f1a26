/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`: the Damerau-Levenshtein distance, optimal string alignment. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1)
      }
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}

/**
 * The known name that `name` most likely meant, or `null` when none is near: at most one edit in three letters, case aside.
 * Of equally near names the first wins.
 */
export function nearest(name: string, known: Iterable<string>): string | null {
  const wanted = name.toLowerCase()
  const allowed = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | null = null
  let bestDistance = allowed + 1
  for (const candidate of known) {
    // A name longer or shorter by more than that cannot be near: no need to measure thousands of columns.
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `did you mean "topic"?`, or `null` when no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string | null {
  const near = nearest(name, known)
  return near === null ? null : `did you mean "${near}"?`
}

/** The nearest of the known names as a hint, else all of them: `The columns are "a", "b".` */
export function hintAmong(name: string, known: readonly string[], what: string): string {
  return didYouMean(name, known) ?? (known.length === 0 ? `There are no ${what}.` : `The ${what} are ${listed(known)}.`)
}

/** Known names for a hint: `one of "a", "b"`. */
export function oneOf(known: Iterable<string>): string {
  return `one of ${listed([...known])}`
}

/** The first dozen, in quotes. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => `"${name}"`)
  return `${shown.join(', ')}${names.length > 12 ? `, … (${names.length} in all)` : ''}`
}
