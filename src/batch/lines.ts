const LF = 0x0a

/**
 * The lines of a stream of bytes, without their ends (LF), whatever blocks they come in; a last line without an end counts. A line that lies in one
 * block is no copy: it is good until the next is asked for, unless whoever gives the blocks leaves them alone. Memory: the longest line.
 */
export async function* linesOf(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let open: Buffer[] = []
  for await (const block of blocks) {
    let from = 0
    for (let end = block.indexOf(LF); end >= 0; end = block.indexOf(LF, from)) {
      const rest = block.subarray(from, end)
      yield open.length === 0 ? rest : Buffer.concat([...open, rest])
      open = []
      from = end + 1
    }
    // Copied: it outlives its block.
    if (from < block.length) open.push(Buffer.from(block.subarray(from)))
  }
  if (open.length > 0) yield Buffer.concat(open)
}
