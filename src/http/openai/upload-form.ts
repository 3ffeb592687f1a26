import type { MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { SluiceError } from '../../errors.ts'
import type { FileDesk, StoredFile } from '../../service.ts'
import { invalidParam } from './openai-error.ts'
import { EXPIRES_S } from './schema.ts'

/** The purposes of files that are of any use here: OpenAI has more. */
const PURPOSE = 'batch'

const NAME_CHARS = 255
const SECOND_MS = 1_000
const DAY_S = 86_400
/** How long OpenAI keeps the files of batches where nobody says, seconds. */
const KEPT_S = 30 * DAY_S

/** Bytes of the fields of a form beside its file. */
const FIELD_LIMITS = { fields: 8, fieldSize: 1_024, files: 1, parts: 10, headerPairs: 100 } as const

export interface Upload {
  /** `file_` + UUIDv7, for the file that is made. */
  readonly id: string
  readonly maxBytes: number
  readonly nowMs: number
  /** Aborts when nobody sends any more. */
  readonly signal: AbortSignal
}

/**
 * Takes the file of an upload form as it comes, into the desk and not into memory; its other fields may stand before or behind it. What is not taken leaves
 * nothing. Throws SluiceError `request_invalid` for forms that are none, `file_too_large`.
 */
export async function receiveUpload(request: FastifyRequest, files: FileDesk, upload: Upload): Promise<StoredFile> {
  const { id, maxBytes } = upload
  const fields = new Map<string, string>()
  let received: StoredFile | null = null
  try {
    for await (const part of asSent(request.parts({ limits: { ...FIELD_LIMITS, fileSize: maxBytes + 1 } }))) {
      if (part.type === 'field') addField(fields, part.fieldname, String(part.value))
      else received = await receiveFile(part, files, upload, received)
    }
    if (received === null) throw invalidParam('file', "Missing required parameter: 'file'.")
    refusePurpose(fields.get('purpose'))
    await files.expireAt(id, received.createdAtMs + keptSeconds(fields) * SECOND_MS)
    return await files.finish(id, { bytes: received.bytes, sha256: null })
  } catch (error) {
    // What is still to come of the form is let go: its sender can hear the answer then.
    request.raw.resume()
    await files.remove(id).catch(unlessMissing)
    throw error
  }
}

const [ANCHOR, SECONDS] = ['expires_after[anchor]', 'expires_after[seconds]'] as const
const FIELDS: readonly string[] = ['purpose', ANCHOR, SECONDS]

function addField(fields: Map<string, string>, name: string, value: string): void {
  if (!FIELDS.includes(name)) throw invalidParam(name, `Unknown parameter: '${name}'.`)
  fields.set(name, value)
}

async function receiveFile(
  part: MultipartFile,
  files: FileDesk,
  { id, maxBytes, nowMs, signal }: Upload,
  before: StoredFile | null,
): Promise<StoredFile> {
  if (part.fieldname !== 'file' || before !== null) {
    part.file.resume()
    throw invalidParam(part.fieldname, "Only one file is taken, as 'file'.")
  }
  await files.add({ id, purpose: PURPOSE, name: nameOf(part), expiresAtMs: nowMs + DAY_S * SECOND_MS })
  try {
    return await files.append(id, 0, asSent<Buffer>(part.file), { maxBytes, signal })
  } finally {
    part.file.resume()
  }
}

/** What comes from the sender: whatever is wrong with how it comes is the sender's mistake. */
async function* asSent<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    throw new SluiceError('request_invalid', 'the form cannot be read to its end', { cause: error })
  }
}

/** What its sender calls the file, without what no file should be called. */
function nameOf({ filename }: MultipartFile): string {
  const name = (filename ?? '').toWellFormed().replace(/[\p{Cc}/\\]/gu, '_')
  return name === '' ? 'batch.jsonl' : name.slice(0, NAME_CHARS)
}

function refusePurpose(purpose: string | undefined): void {
  if (purpose === PURPOSE) return
  const what = purpose === undefined ? "Missing required parameter: 'purpose'." : "Invalid value for 'purpose':"
  throw invalidParam('purpose', `${what} This server takes files with the purpose '${PURPOSE}'.`)
}

function keptSeconds(fields: ReadonlyMap<string, string>): number {
  const [anchor, seconds] = [fields.get(ANCHOR), fields.get(SECONDS)]
  if (anchor === undefined && seconds === undefined) return KEPT_S
  if (anchor !== 'created_at')
    throw invalidParam('expires_after.anchor', "Invalid 'expires_after.anchor': it must be created_at.")
  const kept = Number(seconds)
  if (Number.isInteger(kept) && kept >= EXPIRES_S.minimum && kept <= EXPIRES_S.maximum) return kept
  throw invalidParam(
    'expires_after.seconds',
    `Invalid 'expires_after.seconds': it must be an integer from ${EXPIRES_S.minimum} to ${EXPIRES_S.maximum}.`,
  )
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof SluiceError && error.code === 'file_not_found')) throw error
}
