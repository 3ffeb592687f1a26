import { failure } from '../domain/failure.ts'
import { type Fields, isRecord, parseJson } from '../provider/json.ts'
import type { ResultLine } from './batch-api.ts'
import { linesOf } from './lines.ts'

/** A line as a JSON object; `null`: it is none. */
export function objectIn(line: Buffer): Fields | null {
  const value = parseJson(line.toString())
  return isRecord(value) ? value : null
}

/** A line that makes no sense. Its request is asked again: nobody knows what became of it. */
export function badLine(id: string | null, why: string): ResultLine {
  return { id, result: { kind: 'bad', failure: failure('provider_error', why) } }
}

/** What the live API would have answered. `body` may be any JSON; a text is taken as it is. */
export function repliedLine(id: string | null, status: number, body: unknown, requestId: string | null): ResultLine {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? null)
  return { id, result: { kind: 'reply', status, body: text, requestId } }
}

/** A request that was not answered because its batch came to its end first. */
export function endedLine(id: string | null, end: 'expired' | 'cancelled'): ResultLine {
  const told =
    end === 'expired'
      ? failure('batch_expired', "the batch's time was over before this row was answered")
      : failure('cancelled', 'the batch was cancelled before this row was answered')
  return { id, result: { kind: 'none', failure: told } }
}

/** The lines of a file of results; blank ones say nothing. */
export async function* resultLines(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const line of linesOf(blocks)) if (!isBlank(line)) yield line
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)
}
