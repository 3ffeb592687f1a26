import { MAX_RECORD_BYTES } from '../intake/source.ts'

const LF = 0x0a

/**
 * The lines of a stream of bytes, without their ends; `null` for one that is longer than a row may be. A line is good until the next is asked for. Memory: the
 * longest line that a row may be.
 */
export async function* boundedLines(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer | null> {
  let open: Buffer[] = []
  let bytes = 0
  let isTooLong = false
  const take = (rest: Buffer): Buffer | null => {
    const line =
      isTooLong || bytes + rest.length > MAX_RECORD_BYTES
        ? null
        : open.length === 0
          ? rest
          : Buffer.concat([...open, rest])
    open = []
    bytes = 0
    isTooLong = false
    return line
  }
  for await (const block of blocks) {
    let from = 0
    for (let end = block.indexOf(LF); end >= 0; end = block.indexOf(LF, from)) {
      yield take(block.subarray(from, end))
      from = end + 1
    }
    if (from === block.length) continue
    // Copied: it outlives its block.
    const rest = Buffer.from(block.subarray(from))
    bytes += rest.length
    isTooLong ||= bytes > MAX_RECORD_BYTES
    if (isTooLong) open = []
    else open.push(rest)
  }
  if (isTooLong || bytes > 0) yield take(Buffer.alloc(0))
}
