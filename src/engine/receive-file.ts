import { createHash } from 'node:crypto'
import type { Blob, BlobWriter } from '../blob/blob.ts'
import type { FilePart, StoredFile } from '../domain/stored-file.ts'
import { SluiceError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import type { Files } from '../store/role/files.ts'
import type { Senders } from './senders.ts'

/** Bytes of one part at most, and for how long one is written to: what a server that dies has received of its part is lost. */
const PART_BYTES = 16 * 1024 * 1024
const PART_MS = 20_000

/** What files are received with. */
export interface Receiving {
  readonly files: Files
  readonly blob: Blob
  readonly runtime: Pick<Runtime, 'elapsed' | 'uuid'>
  readonly senders: Senders
}

/** Folder of all objects of a file. */
export function folderOf(id: string): string {
  return `files/${id}/`
}

/** What all parts that were sent in one go, however often continued, have in common: those of another go do not belong to them. */
export function goOf(part: FilePart): string {
  return part.blobKey.split('/')[2] ?? ''
}

/** Appends what comes at the file's end (see FileDesk.append). Nobody else may be at it in this process; of those in others, one is the faster. */
export async function receiveFile(
  receiving: Receiving,
  file: StoredFile,
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const { files, runtime, senders } = receiving
  const { tenantNo, id } = file
  const last = (await files.parts(tenantNo, id)).at(-1)
  const hash = file.bytes === 0 ? createHash('sha256') : senders.takeHash(id, file.bytes)
  const parts = createPartWriter(receiving, file, last === undefined ? runtime.uuid() : goOf(last))
  let end = file.bytes
  try {
    for await (const block of untilAborted(bytes, options.signal)) {
      if (end + block.length > options.maxBytes) throw tooLarge(file, options.maxBytes)
      await parts.write(block)
      hash?.update(block)
      end += block.length
    }
  } catch (error) {
    await parts.flush()
    if (hash !== null && parts.end() === end) senders.keepHash(id, end, hash)
    throw error
  }
  await parts.flush()
  if (hash !== null) senders.keepHash(id, end, hash)
}

interface PartWriter {
  write(bytes: Uint8Array): Promise<void>
  /** Makes durable what was written; nothing, where writing has failed. */
  flush(): Promise<void>
  /** Up to where all is durable. */
  end(): number
}

/** Writes what comes into objects of the blob store, one after the other, and each, once durable, into the store. */
function createPartWriter({ files, blob, runtime }: Receiving, file: StoredFile, go: string): PartWriter {
  let [offset, written, openedMs, key] = [file.bytes, 0, 0, '']
  let writer: BlobWriter | null = null

  const open = async () => {
    openedMs = runtime.elapsed()
    key = `${folderOf(file.id)}${go}/${String(offset).padStart(15, '0')}-${runtime.uuid()}`
    return blob.writer(key)
  }
  const flush = async () => {
    if (writer === null) return
    const closing = writer
    writer = null
    await closing.close()
    if (!(await files.append(file.tenantNo, file.id, { offset, bytes: written, blobKey: key }))) {
      await blob.removeAll(key)
      throw new SluiceError('file_state', `${file.id} does not end at byte ${offset} any more`)
    }
    offset += written
    written = 0
  }
  return Object.freeze({
    async write(bytes: Uint8Array) {
      for (let at = 0; at < bytes.length; ) {
        writer ??= await open()
        const piece = bytes.subarray(at, at + PART_BYTES - written)
        await writer.write(piece).catch(async (error: unknown) => {
          await writer?.abort()
          writer = null
          throw error
        })
        written += piece.length
        at += piece.length
        if (written === PART_BYTES || runtime.elapsed() - openedMs >= PART_MS) await flush()
      }
    },
    flush,
    end: () => offset,
  })
}

/** What comes, until the signal aborts, whose reason is thrown then, however long the next piece is in coming. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  signal.throwIfAborted()
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await nextUnless(iterator, signal)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Whoever waits for the next piece may wait for long.
    iterator.return?.().catch(() => undefined)
  }
}

function nextUnless<T>(iterator: AsyncIterator<T>, signal: AbortSignal): Promise<IteratorResult<T>> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    // While the last piece was written, maybe: a listener would not hear of it any more.
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    const done = () => signal.removeEventListener('abort', stop)
    iterator.next().then(resolve, reject).finally(done)
  })
}

function tooLarge({ name }: StoredFile, maxBytes: number): SluiceError {
  return new SluiceError('file_too_large', `${name} is larger than ${maxBytes} bytes`)
}
