import { isUtf8 } from 'node:buffer'
import { BODY_COLUMN, CHAT_COLUMNS, type ChatFault, type ChatKind, type ChatParts } from '../domain/chat.ts'
import { parseExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { type Fields, isFields, isModelName } from './body-reader.ts'
import { readChat } from './read-chat.ts'

/** A line of a batch's input file that can be asked. */
export interface BatchLine {
  readonly customId: string
  readonly parts: ChatParts
}

export type LineReading =
  | { readonly ok: true; readonly line: BatchLine }
  | { readonly ok: false; readonly fault: ChatFault; readonly customId: string | null }

/** The addresses of the requests that a batch may hold. */
export const ENDPOINTS: Readonly<Record<ChatKind, string>> = Object.freeze({
  chat_completions: '/v1/chat/completions',
  responses: '/v1/responses',
})

/** The kind of the requests of an endpoint; `null`: sluice does not take it. */
export function kindOf(endpoint: string): ChatKind | null {
  if (endpoint === ENDPOINTS.chat_completions) return 'chat_completions'
  return endpoint === ENDPOINTS.responses ? 'responses' : null
}

const CUSTOM_ID_CHARS = 512
/** How deep the JSON of a line may be nested: what reads it later walks it by calls. */
const DEPTH_MOST = 100

/** Reads one line of a batch's input file, or says what is wrong with it. Never throws, whatever the bytes. */
export function readLine(bytes: Uint8Array, kind: ChatKind): LineReading {
  const value = jsonOf(bytes)
  if (!isFields(value)) {
    return refused(null, {
      code: 'invalid_json_line',
      message: 'This line is not parseable as valid JSON.',
      param: null,
    })
  }
  const { custom_id: customId } = value
  const id = typeof customId === 'string' && customId !== '' ? customId : null
  const fault = frameFault(value, kind)
  if (fault !== null || id === null) return refused(id, fault ?? missing('custom_id'))
  const reading = readChat(kind, value[BODY_COLUMN] as Value)
  if (!reading.ok) return refused(id, inBody(reading.fault))
  return { ok: true, line: { customId: id, parts: reading.parts } }
}

/** The model that a line names, whatever else is wrong with it; `null`: it names none, or what cannot be one. */
export function modelIn(bytes: Uint8Array): string | null {
  const value = jsonOf(bytes)
  const body = isFields(value) ? value[BODY_COLUMN] : undefined
  const model = isFields(body) ? body.model : undefined
  return typeof model === 'string' && isModelName(model) ? model : null
}

/** What of a line of a file is read, `line` counted from 1: without a byte order mark. `null`: it is blank. */
export function requestIn(bytes: Uint8Array, line: number): Uint8Array | null {
  const hasMark = line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  const request = hasMark ? bytes.subarray(3) : bytes
  return request.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09) ? null : request
}

function refused(customId: string | null, fault: ChatFault): LineReading {
  return { ok: false, customId, fault }
}

/** The JSON of a line; `undefined`: it is none, or none that can be worked with. */
function jsonOf(bytes: Uint8Array): Value | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    const value = parseExact(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
    return isDeeper(value, DEPTH_MOST) ? undefined : value
  } catch {
    return undefined
  }
}

function isDeeper(value: Value, most: number): boolean {
  let level: readonly Value[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
  return false
}

/** What is wrong around the body. */
function frameFault(line: Fields, kind: ChatKind): ChatFault | null {
  const { custom_id: customId, method, url } = line
  for (const name of ['custom_id', 'method', 'url', BODY_COLUMN]) {
    if (line[name] === undefined || line[name] === null || line[name] === '') return missing(name)
  }
  if (typeof customId !== 'string') return invalid('custom_id', 'expected a string')
  if (customId.length > CUSTOM_ID_CHARS) return invalid('custom_id', `expected at most ${CUSTOM_ID_CHARS} characters`)
  if (!customId.isWellFormed() || customId.includes('\0')) return invalid('custom_id', 'expected well-formed text')
  if (method !== 'POST') return invalid('method', "Supported values are: 'POST'", 'invalid_method')
  if (url !== ENDPOINTS[kind]) {
    const message = `The URL provided for this request does not match the batch endpoint ${ENDPOINTS[kind]}.`
    return { code: 'url_mismatch', message, param: 'url' }
  }
  const reserved = CHAT_COLUMNS.find((name) => Object.hasOwn(line, name))
  return reserved === undefined ? null : invalid(reserved, 'it stands beside the body, where the answer is to be kept')
}

function missing(name: string): ChatFault {
  return { code: 'missing_required_parameter', message: `Missing required parameter: '${name}'.`, param: name }
}

function invalid(param: string, why: string, code = 'invalid_value'): ChatFault {
  return { code, message: `Invalid value for '${param}': ${why}.`, param }
}

function inBody(fault: ChatFault): ChatFault {
  const { param } = fault
  return param === null || param === BODY_COLUMN ? fault : { ...fault, param: `${BODY_COLUMN}.${param}` }
}
