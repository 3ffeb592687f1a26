import type { Blob } from '../blob/blob.ts'
import { parseExact } from '../domain/exact-json.ts'
import type { JobId } from '../domain/job.ts'
import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { findTwins, type KeyPlace } from './key-log.ts'
import { placeOf } from './manifest-row.ts'
import { keyOf } from './row-key.ts'
import { segmentKey } from './snapshot.ts'
import type { Source } from './source.ts'

/** How many are named. */
const SHOWN = 3

/** Throws `duplicate_key` naming the first keys that two rows have, and where, when there are any. */
export async function refuseTwins(
  blob: Blob,
  job: JobId,
  segments: number,
  source: Source,
  keyName: string,
): Promise<void> {
  const { count, twins } = await findTwins(blob, job, segments, SHOWN)
  const [first] = twins
  if (first === undefined) return
  const column = source.columns.indexOf(keyName)
  const lines: string[] = []
  for (const { first: one, second } of twins) {
    const key = keyOf((await valuesAt(blob, job, second))[column]) ?? ''
    const places = [one, second].map(({ file, line, rowIndex }) => placeOf(source, file, line, rowIndex))
    lines.push(`${JSON.stringify(key.slice(0, 80))} at ${places.join(' and ')}`)
  }
  const more = count > twins.length ? `, … (${count} in all)` : ''
  const { file, line } = first.second
  throw new SluiceError('duplicate_key', `two rows have the same ${keyName}: ${lines.join('; ')}${more}`, {
    place: line === 0 ? null : { file: source.files[file] ?? '', line, column: null },
  })
}

async function valuesAt(blob: Blob, job: JobId, { segmentNo, rowInSegment }: KeyPlace): Promise<readonly Value[]> {
  const segment = await blob.read(segmentKey(job, segmentNo))
  let start = 0
  for (let row = 0; row < rowInSegment; row++) start = segment.indexOf(0x0a, start) + 1
  return parseExact(segment.toString('utf8', start, segment.indexOf(0x0a, start))) as Value[]
}
