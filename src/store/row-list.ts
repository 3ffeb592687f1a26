import { SluiceError } from '../errors.ts'

/**
 * Ascending row indices as short text: for each run of consecutive ones the distance from the one before it (from 0 the first), and `+n` where n
 * more follow it. `5,6,7,9` is `5+2,2`. Throws SluiceError `internal` where they do not ascend.
 */
export function writeRowList(rows: readonly number[]): string {
  const runs: { readonly gap: number; more: number }[] = []
  let last = 0
  for (const [n, row] of rows.entries()) {
    if (!Number.isSafeInteger(row) || row < 0 || (n > 0 && row <= last))
      throw new SluiceError(
        'internal',
        `row indices of a part must ascend, and ${row} follows ${n > 0 ? last : 'nothing'}`,
      )
    const run = runs.at(-1)
    if (run !== undefined && row === last + 1) run.more += 1
    else runs.push({ gap: row - last, more: 0 })
    last = row
  }
  return runs.map(({ gap, more }) => (more === 0 ? String(gap) : `${gap}+${more}`)).join(',')
}

/** The indices that `writeRowList` was given. */
export function readRowList(text: string): readonly number[] {
  const rows: number[] = []
  let last = 0
  for (const run of text === '' ? [] : text.split(',')) {
    const [gap = '', more = '0'] = run.split('+')
    last += Number(gap)
    for (const end = last + Number(more); ; last += 1) {
      rows.push(last)
      if (last === end) break
    }
  }
  return rows
}
