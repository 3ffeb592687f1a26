import { createHash } from 'node:crypto'
import { BadRequest } from '../ask.ts'
import { isRecord } from '../schema.ts'
import type { BatchFailure } from './course.ts'
import type { LineFormat } from './line-format.ts'

/** What can be said of a file of requests before any of them is answered. */
export interface Survey {
  readonly requests: number
  /** As far as they can be read. */
  readonly inputTokens: number
  /** The one model that all ask; `null`: they name none, or several. */
  readonly model: string | null
  /** Where all want to go; `null`: they do not say, or differ. */
  readonly url: string | null
  /** Names the ids, in their order: two batches with one fingerprint ask the same rows. */
  readonly fingerprint: string
  /** Names the texts that are asked about, in their order; ids do not enter. */
  readonly content: string
  /** What is wrong with its lines, the first of each kind. */
  readonly failures: readonly BatchFailure[]
}

export interface Surveyor {
  /** Takes the next line. */
  see(line: Buffer): void
  result(): Survey
}

/** Goes through requests as they are uploaded: each is read once, and forgotten. */
export function createSurveyor(format: LineFormat, facts: Parameters<LineFormat['read']>[1]): Surveyor {
  const ids = new Set<string>()
  const fingerprint = createHash('sha256')
  const content = createHash('sha256')
  const models = new Set<string>()
  const urls = new Set<string>()
  const failures = new Map<string, BatchFailure>()
  let requests = 0
  let inputTokens = 0
  const fail = (code: string, message: string) => {
    if (!failures.has(code)) failures.set(code, { kind: 'bad_line', code, message, line: requests })
  }

  const weigh = (text: string) => {
    const row = format.read(text, facts)
    if (row.customId === null) fail('missing_required_parameter', 'Missing required parameter: custom_id.')
    else if (ids.has(row.customId))
      fail('duplicate_custom_id', 'The custom_id for this request is a duplicate of another request.')
    else ids.add(row.customId)
    fingerprint.update(`${row.customId}\n`)
    if (typeof row.body.model === 'string' && row.body.model !== '') models.add(row.body.model)
    if (row.path !== '') urls.add(row.path)
    try {
      const ask = format.shape(row).read({ model: 'any', ...row.body }, row.path)
      inputTokens += ask.inputTokens
      content.update(ask.text)
    } catch (error) {
      // What is wrong with a single request is said in its own result.
      if (!(error instanceof BadRequest)) throw error
    }
    if (models.size > 1) fail('mismatched_model', 'The provided model does not match the model of the other requests.')
  }

  return Object.freeze({
    see: (line: Buffer) => {
      requests += 1
      try {
        weigh(line.toString())
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error
        fail('invalid_json_line', 'This line is not parseable as valid JSON.')
      }
    },
    result: () => ({
      requests,
      inputTokens,
      model: only(models),
      url: only(urls),
      fingerprint: fingerprint.digest('hex').slice(0, 32),
      content: content.digest('hex').slice(0, 32),
      failures: [...failures.values()],
    }),
  })
}

function only(values: ReadonlySet<string>): string | null {
  return values.size === 1 ? ([...values][0] as string) : null
}

/** The object that a text holds. Throws a `SyntaxError` where it holds none. */
export function objectOf(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text)
  if (isRecord(value)) return value
  throw new SyntaxError('expected an object')
}
