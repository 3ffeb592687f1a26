import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../errors.ts'
import type { FileDesk, StoredFile } from '../service.ts'
import type { Upload, UploadRange } from './upload-headers.ts'

/** What an upload is received with. */
export interface Receiver {
  readonly files: FileDesk
  /** Looks at the whole before it counts (see FileDesk.finish). */
  readonly check: NonNullable<Parameters<FileDesk['finish']>[1]['check']>
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/**
 * Takes the body of a request into a file: all of it, anew, or the bytes of a range at its end. Returns the file as it stands then: `ready` once all of it
 * is there and has passed its check. The same whole again changes nothing. Throws `file_state` where the range does not go on where the file ends, or
 * the file is whole and another one comes; `file_too_large`, `file_mismatch`, and what the check throws.
 */
export async function receiveUpload(
  receiver: Receiver,
  file: StoredFile,
  upload: Upload,
  body: IncomingMessage,
): Promise<StoredFile> {
  const { range, bodyBytes } = upload
  const announced = range?.total ?? range?.to ?? bodyBytes ?? 0
  if (announced > receiver.maxBytes) {
    throw new SluiceError(
      'file_too_large',
      `${announced} bytes are more than the ${receiver.maxBytes} that this server takes`,
    )
  }
  if (file.state === 'ready') return sameAgain(file, upload, body)
  return range === null ? takeWhole(receiver, file, upload, body) : takePart(receiver, file, { ...upload, range }, body)
}

async function takeWhole(receiver: Receiver, file: StoredFile, upload: Upload, body: IncomingMessage) {
  const { files, check, maxBytes, signal } = receiver
  // Somebody may be sending it at this moment of whom nothing is durable yet.
  await files.reopen(file.id)
  await files.append(file.id, 0, blocksOf(body), { maxBytes, signal })
  return files.finish(file.id, { bytes: upload.bodyBytes, sha256: upload.wholeSha256, check })
}

async function takePart(
  receiver: Receiver,
  file: StoredFile,
  { range, wholeSha256, bodySha256 }: Upload & { readonly range: UploadRange },
  body: IncomingMessage,
) {
  const { files, check, maxBytes, signal } = receiver
  const { from, to, total } = range
  if (file.state === 'refused' && from === 0) await files.reopen(file.id)
  const hash = bodySha256 === null ? null : createHash('sha256')
  const blocks = atMost(hashed(blocksOf(body), hash), to - from)
  const now = await files.append(file.id, from, blocks, { maxBytes, signal })
  if (hash !== null && hash.digest('hex') !== bodySha256) {
    const note = `bytes ${from} to ${now.bytes - 1} are not those of their Content-Digest`
    await files.refuse(file.id, note)
    throw new SluiceError('file_mismatch', note, { hint: 'Send all of the file anew.' })
  }
  return now.bytes === total ? files.finish(file.id, { bytes: total, sha256: wholeSha256, check }) : now
}

/** Of a file that is there already, the same once more is no error: its sender may never have got the answer. */
async function sameAgain(file: StoredFile, { range, wholeSha256 }: Upload, body: IncomingMessage): Promise<StoredFile> {
  if (wholeSha256 !== null && wholeSha256 === file.sha256) return file
  if (range !== null && range.from === range.to && range.total === file.bytes) return file
  if (range === null && wholeSha256 === null) {
    const hash = createHash('sha256')
    for await (const block of blocksOf(body)) hash.update(block)
    if (hash.digest('hex') === file.sha256) return file
  }
  throw new SluiceError('file_state', `${file.name} is there already, and checked`, {
    hint: 'Start the job, or create another one for another input.',
  })
}

/** The body as it comes. Whoever leaves off reading does not end the connection: there is an answer to give. */
function blocksOf(body: IncomingMessage): AsyncIterable<Buffer> {
  return body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
}

async function* hashed(
  blocks: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash> | null,
): AsyncGenerator<Buffer> {
  for await (const block of blocks) {
    hash?.update(block)
    yield block
  }
}

async function* atMost(blocks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes
  for await (const block of blocks) {
    left -= block.length
    if (left < 0)
      throw new SluiceError('range_unfit', `the body is longer than the ${bytes} bytes of its Content-Range`)
    yield block
  }
}
