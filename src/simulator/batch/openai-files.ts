import type { NewFile, StoredFile } from './batch.ts'
import type { Book } from './book.ts'
import type { BatchCall } from './exchange.ts'
import type { LineFormat } from './line-format.ts'
import { readForm } from './multipart.ts'
import { createIntake } from './take-in.ts'

/** Takes in the file that an upload's form holds; `null`: the body is no such form. A file whose name is missing is `null`. */
export async function uploadForm(
  book: Book,
  call: BatchCall,
  provider: NewFile['provider'],
  format: LineFormat,
): Promise<{ readonly file: StoredFile | null; readonly purpose: string | null } | null> {
  const intake = await createIntake(book, provider, format)
  try {
    const form = await readForm(call.body, call.headers['content-type'] ?? '', intake.take)
    const purpose = form.fields.purpose ?? null
    if (form.filename !== null) return { file: await intake.end(form.filename), purpose }
    await intake.giveUp()
    return { file: null, purpose }
  } catch (error) {
    await intake.giveUp()
    if (error instanceof RangeError) return null
    throw error
  }
}
