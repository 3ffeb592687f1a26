import { createWriteStream } from 'node:fs'
import { realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { SluiceError } from '../errors.ts'
import { makeFolder, processToken } from '../runtime.ts'

/**
 * Writes text to a file, compressed where its name ends in `.gz`. The file appears, durably, only when all of it is written; what stood there
 * before stays until then. Missing folders are made; a pipe or a device is written straight. Errors of `texts` are thrown as they are, those of
 * the file as `output_unwritable`.
 */
export async function writeTextFile(path: string, texts: AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
  const target = await targetOf(path)
  const write = async (to: string, items: AsyncIterable<string>) => {
    const file = createWriteStream(to, { flush: target.replaceable })
    const options = { ...(signal && { signal }) }
    const source = Readable.from(items)
    await (path.endsWith('.gz') ? pipeline(source, createGzip(), file, options) : pipeline(source, file, options))
  }
  if (target.replaceable) await replaceFile(target.path, texts, write)
  else await tellingApart(path, texts, (items) => write(target.path, items))
}

/** Lets `write` make a file of `items` at a temporary path, and puts it at `path` in one step; errors as in `writeTextFile`. */
export async function writeOtherFile<T>(
  path: string,
  items: AsyncIterable<T>,
  write: (temporary: string, items: AsyncIterable<T>) => Promise<unknown>,
): Promise<void> {
  const target = await targetOf(path)
  if (!target.replaceable) {
    throw new SluiceError('output_unwritable', `${path} is a pipe or a device; this format needs a plain file`)
  }
  await replaceFile(target.path, items, write)
}

async function targetOf(path: string): Promise<{ readonly path: string; readonly replaceable: boolean }> {
  const found = await statOf(path)
  if (found === null) return { path, replaceable: true }
  if (found.isDirectory()) {
    throw new SluiceError('output_unwritable', `${path} is a folder`, { hint: 'Name a file in it with -o.' })
  }
  // A link stays a link: what it points at is replaced.
  return found.isFile() ? { path: await realpath(path), replaceable: true } : { path, replaceable: false }
}

/** `null`: nothing is there yet, but the folder for it is. */
async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(path, error)
  }
  try {
    await makeFolder(dirname(path))
    return null
  } catch (error) {
    throw unwritable(path, error)
  }
}

async function replaceFile<T>(
  path: string,
  items: AsyncIterable<T>,
  write: (temporary: string, items: AsyncIterable<T>) => Promise<unknown>,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${processToken().slice(0, 8)}.part`)
  try {
    await tellingApart(path, items, async (watched) => {
      await write(temporary, watched)
      await rename(temporary, path)
    })
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Tells errors of the items, which are thrown as they are, from those of writing them to `path`, which are thrown as `output_unwritable`. */
export async function tellingApart<T>(
  path: string,
  items: AsyncIterable<T>,
  work: (items: AsyncIterable<T>) => Promise<void>,
): Promise<void> {
  let broken: { readonly error: unknown } | null = null
  const watched: AsyncIterable<T> = {
    [Symbol.asyncIterator]() {
      const inner = items[Symbol.asyncIterator]()
      return {
        next: () =>
          inner.next().catch((error: unknown) => {
            broken = { error }
            throw error
          }),
        // No `throw`: a stream would put its own error in, and it would come out as one of the items.
        return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
  try {
    await work(watched)
  } catch (error) {
    throw (broken as { readonly error: unknown } | null)?.error ?? unwritable(path, error)
  }
}

/** Aborts and errors that already say what to do stay as they are. */
function unwritable(path: string, error: unknown): unknown {
  if (error instanceof SluiceError || !(error instanceof Error) || error.name === 'AbortError') return error
  return new SluiceError('output_unwritable', `${path} cannot be written: ${error.message}`, { cause: error })
}
