import type { Blob } from '../blob/blob.ts'
import { SluiceError } from '../errors.ts'
import type { RequestLine } from './batch-api.ts'
import { linesOf } from './lines.ts'

/** Bytes that are handed to the blob store at once. */
const BLOCK_BYTES = 256 * 1024

const REQUEST_ID = /^([0-9a-f]{32})-(0|[1-9]\d{0,14})$/

/** What the id of a request says. */
export interface RequestPlace {
  readonly partId: string
  readonly rowIndex: number
}

/** The id of a part, made from a new UUIDv7: its digits without the dashes. */
export function partIdOf(uuid: string): string {
  return uuid.replaceAll('-', '')
}

/** The id under which a part asks a row, `<part id>-<row index>`: of the characters and the length that every provider takes. */
export function requestId(partId: string, rowIndex: number): string {
  return `${partId}-${rowIndex}`
}

/** Which part asked which row under this id; `null`: it is no id of ours. */
export function readRequestId(id: string): RequestPlace | null {
  const match = REQUEST_ID.exec(id)
  return match === null ? null : { partId: match[1] as string, rowIndex: Number(match[2]) }
}

/**
 * Writes the requests of a part as one object, a line `<id> <body>` each; it is there whole when this returns, or not at all. Bodies are of one
 * line and stay as they are. Returns what `BatchPart.bytes` says: the bytes of the bodies alone.
 */
export async function writeRequests(
  blob: Blob,
  key: string,
  requests: Iterable<RequestLine> | AsyncIterable<RequestLine>,
): Promise<{ readonly requests: number; readonly bytes: number }> {
  const writer = await blob.writer(key)
  let block: Buffer[] = []
  let [held, bytes, count] = [0, 0, 0]
  const pour = async () => {
    await writer.write(Buffer.concat(block))
    block = []
    held = 0
  }
  try {
    for await (const request of requests) {
      const line = encodeLine(request)
      block.push(line)
      held += line.length
      bytes += line.length - request.id.length - 2
      count += 1
      if (held >= BLOCK_BYTES) await pour()
    }
    await pour()
  } catch (error) {
    await writer.abort()
    throw error
  }
  await writer.close()
  return { requests: count, bytes }
}

/** The requests of a part, from the first, as they were written. Memory: a few requests. Rejects with `BlobMissing` where they are gone. */
export async function* readRequests(blob: Blob, key: string): AsyncGenerator<RequestLine> {
  for await (const line of linesOf(blob.stream(key))) {
    const gap = line.indexOf(0x20)
    const id = line.toString('latin1', 0, Math.max(0, gap))
    if (readRequestId(id) === null) throw new SluiceError('internal', `${key} holds a line that is no request`)
    yield { id, body: line.toString('utf8', gap + 1) }
  }
}

function encodeLine({ id, body }: RequestLine): Buffer {
  if (readRequestId(id) === null) throw new SluiceError('internal', `${id} is no id of a request in a batch`)
  if (/[\r\n]/.test(body)) throw new SluiceError('internal', `the request ${id} is of more than one line`)
  return Buffer.from(`${id} ${body}\n`)
}
