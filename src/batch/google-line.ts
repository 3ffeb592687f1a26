import { type Fields, isRecord, recordIn, textIn } from '../provider/json.ts'
import type { ResultLine } from './batch-api.ts'
import { badLine, endedLine, objectIn, repliedLine } from './result-line.ts'

/** google.rpc.Code: what HTTP calls it, and how the live API writes it. */
const CODES: Readonly<Record<number, readonly [status: number, name: string]>> = {
  2: [500, 'UNKNOWN'],
  3: [400, 'INVALID_ARGUMENT'],
  4: [504, 'DEADLINE_EXCEEDED'],
  5: [404, 'NOT_FOUND'],
  6: [409, 'ALREADY_EXISTS'],
  7: [403, 'PERMISSION_DENIED'],
  8: [429, 'RESOURCE_EXHAUSTED'],
  9: [400, 'FAILED_PRECONDITION'],
  10: [409, 'ABORTED'],
  11: [400, 'OUT_OF_RANGE'],
  12: [501, 'UNIMPLEMENTED'],
  13: [500, 'INTERNAL'],
  14: [503, 'UNAVAILABLE'],
  15: [500, 'DATA_LOSS'],
  16: [401, 'UNAUTHENTICATED'],
}

/** google.rpc.Code of what was cancelled. */
export const CANCELLED = 1

/** A line of a Gemini batch's results, from its file or from within the batch: a response, or a google.rpc.Status. */
export function readGoogleLine(line: Buffer): ResultLine {
  const fields = objectIn(line)
  if (fields === null) return badLine(null, 'a line of the results is no JSON object')
  const metadata = recordIn(fields, 'metadata')
  const id = textIn(fields, 'key') ?? textIn(metadata, 'key') ?? textIn(metadata, 'custom_id')
  const { response, error, status } = fields
  if (isRecord(response)) return repliedLine(id, 200, response, textIn(response, 'responseId'))
  const problem = isRecord(error) ? error : isRecord(status) ? status : null
  return problem === null ? badLine(id, 'a line of the results has neither answer nor error') : errorLine(id, problem)
}

/** As the live API would have put it: a bare status would be read as an error without a message. */
function errorLine(id: string | null, problem: Fields): ResultLine {
  const code = Number(problem.code)
  if (code === CANCELLED) return endedLine(id, 'cancelled')
  // Some lines have HTTP's own number there.
  const isHttp = Number.isInteger(code) && code >= 400 && code <= 599
  const [status, name] = isHttp ? [code, textIn(problem, 'status')] : (CODES[code] ?? [500, 'UNKNOWN'])
  const error = { ...problem, code: status, ...(name !== null && { status: name }) }
  return repliedLine(id, status, { error }, null)
}
