import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { StorageFailure } from '../domain/storage-failure.ts'
import { processToken } from '../runtime.ts'
import { type Blob, BlobMissing, type BlobPart, type BlobWriter } from './blob.ts'
import { blobKey, isBlobKey } from './blob-key.ts'

/** Bytes that `stream` reads at a time. */
const READ_BYTES = 256 * 1024

/**
 * Blobs as files below `dir`, one file per key. An object is written beside its place under a name of its own, synced, renamed, and the
 * folders synced: after a crash it is there whole or not at all. Failures of the disk are thrown as `StorageFailure`.
 */
export function openFileBlob(options: { readonly dir: string }): Blob {
  const root = resolve(options.dir)
  const token = processToken()
  let written = 0
  const nextTemporary = (path: string) => join(dirname(path), `.${token}-${written++}`)

  return Object.freeze({
    async put(key: string, bytes: Uint8Array) {
      const writer = await openWriter(root, pathOf(root, key), nextTemporary)
      try {
        await writer.write(bytes)
      } catch (error) {
        await writer.abort()
        throw error
      }
      await writer.close()
    },
    writer: (key: string) => openWriter(root, pathOf(root, key), nextTemporary),
    read: (key: string, range?: { readonly offset: number; readonly length: number }) =>
      onDisk(() => readRange(key, pathOf(root, key), range)),
    stream: (key: string, part?: BlobPart) => streamFile(key, pathOf(root, key), part ?? {}),
    size: (key: string) =>
      onDisk(async () => {
        const found = await unlessMissing(stat(pathOf(root, key)))
        return found?.isFile() ? found.size : null
      }),
    list: (prefix: string) => listKeys(root, prefix),
    async removeAll(prefix: string) {
      for await (const key of listKeys(root, prefix)) await onDisk(() => unlessMissing(unlink(join(root, key))))
      await onDisk(() => removeEmptyFolders(root, prefix))
    },
  })
}

function pathOf(root: string, key: string): string {
  return join(root, blobKey(key))
}

async function openWriter(root: string, path: string, nextTemporary: (path: string) => string): Promise<BlobWriter> {
  await onDisk(() => makeFolders(root, dirname(path)))
  const temporary = nextTemporary(path)
  const file = await onDisk(() => open(temporary, 'wx'))
  return Object.freeze({
    write: (bytes: Uint8Array) => onDisk(() => writeAll(file, bytes)),
    async close() {
      try {
        await onDisk(async () => {
          await file.sync()
          await file.close()
          await rename(temporary, path)
          await syncFolder(dirname(path))
        })
      } catch (error) {
        await discard(file, temporary)
        throw error
      }
    },
    abort: () => discard(file, temporary),
  })
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0
  while (done < bytes.length) done += (await file.write(bytes, done)).bytesWritten
}

/** Takes back what was written. The disk may be in trouble already, and its first failure is the one to tell: a second one here is not. */
async function discard(file: FileHandle, temporary: string): Promise<void> {
  await file.close().catch(() => undefined)
  await rm(temporary, { force: true }).catch(() => undefined)
}

async function readRange(key: string, path: string, range?: { offset: number; length: number }): Promise<Buffer> {
  const file = await unlessMissing(open(path, 'r'))
  if (file === null) throw new BlobMissing(key)
  try {
    const { size } = await file.stat()
    const offset = range?.offset ?? 0
    const length = range?.length ?? size
    if (offset < 0 || length < 0 || offset + length > size) throw new BlobMissing(key)
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done)
      if (bytesRead === 0) throw new BlobMissing(key)
      done += bytesRead
    }
    return bytes
  } finally {
    await file.close()
  }
}

async function* streamFile(key: string, path: string, part: BlobPart): AsyncGenerator<Buffer> {
  const { from = 0, to = Number.POSITIVE_INFINITY, blockBytes = READ_BYTES } = part
  let at = from
  try {
    // The last byte is said inclusively, so that none at all cannot be.
    const options = { start: from, end: to - 1, highWaterMark: Math.min(blockBytes, READ_BYTES) }
    if (to > from) {
      for await (const block of createReadStream(path, options)) {
        at += (block as Buffer).length
        yield block as Buffer
      }
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw new BlobMissing(key)
    throw asStorageFailure(error)
  }
  if (to !== Number.POSITIVE_INFINITY && at < to) throw new BlobMissing(key)
}

/** Keys below `root` that begin with `prefix`, in the order of their characters. */
async function* listKeys(root: string, prefix: string, below = ''): AsyncGenerator<string> {
  const entries = await onDisk(() => unlessMissing(readdir(join(root, below), { withFileTypes: true })))
  // A folder sorts as its name with the slash, since that is how its keys go on.
  const names = (entries ?? [])
    .filter((entry) => isBlobKey(entry.name))
    .map((entry) => below + entry.name + (entry.isDirectory() ? '/' : ''))
    .sort((a, b) => (a < b ? -1 : 1))
  for (const name of names) {
    if (name.endsWith('/')) {
      if (name.startsWith(prefix) || prefix.startsWith(name)) yield* listKeys(root, prefix, name)
    } else if (name.startsWith(prefix)) yield name
  }
}

/** Removes the folders below `prefix` with what is left in them: half-written files of processes that died. */
async function removeEmptyFolders(root: string, prefix: string): Promise<void> {
  const folder = prefix.replace(/\/$/, '')
  if (folder === '' || !isBlobKey(folder) || !(await unlessMissing(stat(join(root, folder))))?.isDirectory()) return
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  for (const entry of entries) {
    if (entry.isDirectory()) await removeEmptyFolders(root, `${folder}/${entry.name}`)
    else if (entry.name.startsWith('.')) await unlessMissing(unlink(join(root, folder, entry.name)))
  }
  await rmdir(join(root, folder)).catch((error: unknown) => {
    // Somebody wrote there again meanwhile: then it stays.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errorCode(error) ?? '')) throw error
  })
}

/** Makes the folder and those above it up to `root`, and syncs each that gained an entry. */
async function makeFolders(root: string, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  if (folder === root) await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | null> {
  return result.catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null
    throw error
  })
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    throw asStorageFailure(error)
  })
}

function asStorageFailure(error: unknown): unknown {
  const code = errorCode(error)
  if (code === undefined || error instanceof BlobMissing) return error
  const message = (error as Error).message
  return new StorageFailure(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'io', message, error)
}
