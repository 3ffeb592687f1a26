import type { NewFile, StoredFile } from './batch.ts'
import type { Book } from './book.ts'
import type { LineFormat } from './line-format.ts'
import { createLineSplitter } from './shelf.ts'
import { createSurveyor } from './survey.ts'

/** A file on its way in: written to disk and gone through at once. */
export interface Intake {
  take(bytes: Uint8Array): Promise<void>
  /** The file, whole. */
  end(name: string): Promise<StoredFile>
  /** The client has gone: nothing is kept. */
  giveUp(): Promise<void>
}

/** Begins to take a file of requests in. */
export async function createIntake(book: Book, provider: NewFile['provider'], format: LineFormat): Promise<Intake> {
  const writer = await book.shelf.write()
  const splitter = createLineSplitter()
  const surveyor = createSurveyor(format, { model: '', endpoint: '' })
  return Object.freeze({
    take: async (bytes: Uint8Array) => {
      const own = Buffer.from(bytes)
      for (const line of splitter.push(own)) surveyor.see(line)
      await writer.write(own)
    },
    end: async (name: string) => {
      for (const line of splitter.end()) surveyor.see(line)
      const bytes = await writer.end()
      return book.keep({ provider, path: writer.path, bytes, name, survey: surveyor.result() })
    },
    giveUp: async () => {
      await writer.end()
      await book.shelf.remove(writer.path)
    },
  })
}

/** Takes requests in that came one by one, each a JSON text. */
export async function takeInEach(
  book: Book,
  provider: NewFile['provider'],
  format: LineFormat,
  texts: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<StoredFile> {
  const intake = await createIntake(book, provider, format)
  try {
    for await (const text of texts) {
      // In a text over several lines, breaks stand between the values alone: it is written anew.
      const line = text.includes(0x0a) ? Buffer.from(JSON.stringify(JSON.parse(text.toString()))) : text
      await intake.take(line)
      await intake.take(BREAK)
    }
    return await intake.end('requests.jsonl')
  } catch (error) {
    await intake.giveUp()
    throw error
  }
}

const BREAK = Buffer.from('\n')
