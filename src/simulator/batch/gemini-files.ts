import { gemini } from '../gemini.ts'
import type { StoredFile } from './batch.ts'
import type { Book } from './book.ts'
import { download } from './download.ts'
import { type BatchCall, type BatchReply, json, jsonOf, queryOf, Refused } from './exchange.ts'
import { geminiLines } from './gemini-lines.ts'
import type { BatchRoute } from './route.ts'
import { createIntake, type Intake } from './take-in.ts'

/** An upload that goes on. */
interface Session {
  readonly intake: Intake
  readonly name: string
  received: number
}

/** Google's files: resumable uploads, and the download of results. */
export function geminiFileRoutes(book: Book): readonly BatchRoute[] {
  const at = { provider: 'gemini', shape: gemini } as const
  const sessions = new Map<string, Session>()
  const upload = (call: BatchCall) => takeUpload(book, sessions, call)
  const fileOr404 = (id: string) =>
    book.file(`files/${id}`) ?? geminiError(404, 'NOT_FOUND', `File files/${id} not found.`)
  const content = (_: BatchCall, id: string) => download(book, fileOr404(id), 'application/octet-stream')
  return [
    { ...at, name: 'upload', method: 'POST', pattern: /\/upload\/v1beta\/files$/, answer: upload },
    { ...at, name: 'upload', method: 'PUT', pattern: /\/upload\/v1beta\/files$/, answer: upload },
    { ...at, name: 'content', method: 'GET', pattern: /\/v1beta\/files\/([^/:]+):download$/, answer: content },
    {
      ...at,
      name: 'file',
      method: 'GET',
      pattern: /\/v1beta\/files\/([^/:]+)$/,
      answer: (call, id) => json(fileObject(call, fileOr404(id))),
    },
    {
      ...at,
      name: 'remove',
      method: 'DELETE',
      pattern: /\/v1beta\/files\/([^/:]+)$/,
      answer: async (_, id) => {
        await book.drop(fileOr404(id))
        return json({})
      },
    },
  ]
}

/** Turns a call away in Google's words. */
export function geminiError(status: number, rpcStatus: string, message: string): never {
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  throw new Refused({ status, headers, body: JSON.stringify({ error: { code: status, message, status: rpcStatus } }) })
}

async function takeUpload(book: Book, sessions: Map<string, Session>, call: BatchCall): Promise<BatchReply> {
  const commands = (call.headers['x-goog-upload-command'] ?? '').split(',').map((command) => command.trim())
  if (commands.includes('start')) return startUpload(book, sessions, call)
  const id = queryOf(call).get('upload_id') ?? ''
  const session = sessions.get(id) ?? geminiError(404, 'NOT_FOUND', 'Upload not found.')
  if (commands.includes('query')) {
    return json({}, { 'x-goog-upload-status': 'active', 'x-goog-upload-size-received': String(session.received) })
  }
  if (Number(call.headers['x-goog-upload-offset'] ?? 0) !== session.received) {
    return geminiError(400, 'INVALID_ARGUMENT', `The upload goes on at offset ${session.received}.`)
  }
  for await (const chunk of call.body) {
    await session.intake.take(chunk)
    session.received += chunk.length
  }
  if (!commands.includes('finalize')) return json({}, { 'x-goog-upload-status': 'active' })
  sessions.delete(id)
  const file = await session.intake.end(session.name)
  return json({ file: fileObject(call, file) }, { 'x-goog-upload-status': 'final' })
}

async function startUpload(book: Book, sessions: Map<string, Session>, call: BatchCall): Promise<BatchReply> {
  const told = await jsonOf(call.body)
  const file = (told.file ?? {}) as Readonly<Record<string, unknown>>
  const id = book.digits()
  const name = String(file.displayName ?? file.display_name ?? '')
  sessions.set(id, { intake: await createIntake(book, 'gemini', geminiLines), name, received: 0 })
  const path = call.path.replace(/\?.*$/, '')
  return json(
    {},
    {
      'x-goog-upload-url': `${call.origin}${path}?upload_id=${id}&upload_protocol=resumable`,
      'x-goog-upload-status': 'active',
    },
  )
}

function fileObject(call: Pick<BatchCall, 'origin'>, file: StoredFile): object {
  const createTime = new Date(file.createdMs).toISOString()
  return {
    name: file.id,
    displayName: file.name,
    mimeType: 'application/jsonl',
    sizeBytes: String(file.bytes),
    createTime,
    updateTime: createTime,
    expirationTime: new Date(file.createdMs + 48 * 3_600_000).toISOString(),
    uri: `${call.origin}/v1beta/${file.id}`,
    state: 'ACTIVE',
    source: file.survey === null ? 'GENERATED' : 'UPLOADED',
  }
}
