import type { ChatFault } from '../domain/chat.ts'
import type { ModelParams } from '../domain/request.ts'
import type { Value } from '../domain/row.ts'

/** A JSON object of a request. */
export type Fields = { readonly [key: string]: Value }

/** Hears what is wrong; what is read goes on, so that the first fault is the one that stands first. */
export type Report = (code: string, message: string, param: string | null) => void

/** Collects faults. */
export function createFaults(): { readonly report: Report; first(): ChatFault | null } {
  let found: ChatFault | null = null
  return {
    report: (code, message, param) => {
      found ??= { code, message, param }
    },
    first: () => found,
  }
}

/** Whether the value is a JSON object. */
export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether nothing is asked for: left out, `null`, an empty list. */
function isNothing(value: Value | undefined): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
}

/** Characters in the name of a model. */
const MODEL_CHARS = 256

/** The model that a body names. */
export function modelOf({ model }: Fields, report: Report): string {
  if (model === undefined || model === null) {
    report('missing_required_parameter', "Missing required parameter: 'model'.", 'model')
  } else if (typeof model !== 'string' || model === '') {
    report('invalid_type', "Invalid type for 'model': expected a string that is not empty.", 'model')
  } else if (!isModelName(model)) {
    const message = `Invalid value for 'model': expected well-formed text of at most ${MODEL_CHARS} characters.`
    report('invalid_value', message, 'model')
  } else return model
  return ''
}

/** Whether a text can be the name of a model. */
export function isModelName(text: string): boolean {
  return text !== '' && text.length <= MODEL_CHARS && text.isWellFormed() && !text.includes('\0')
}

/** What a parameter may be besides being absent. */
export type Allowed = (value: Value) => boolean

/** Refuses every part of `fields` that is not among `known`, unless it is nothing, or what `harmless` allows for it. */
export function refuseOthers(
  fields: Fields,
  options: {
    readonly known: readonly string[]
    readonly harmless: Readonly<Record<string, Allowed>>
    readonly at?: string
  },
  report: Report,
): void {
  for (const [name, value] of Object.entries(fields)) {
    if (options.known.includes(name) || isNothing(value)) continue
    const allows = Object.hasOwn(options.harmless, name) ? options.harmless[name] : undefined
    if (allows?.(value) === true) continue
    const param = options.at === undefined ? name : `${options.at}.${name}`
    const what = allows === undefined ? `'${param}' is not supported` : `This value of '${param}' is not supported`
    report('unsupported_parameter', `${what} by this server.`, param)
  }
}

/** The parameters that all kinds of requests share: `temperature`, `top_p`. */
export function samplingOf(fields: Fields, report: Report): ModelParams {
  const temperature = numberIn(fields, 'temperature', { least: 0, most: 2 }, report)
  const topP = numberIn(fields, 'top_p', { least: 0, most: 1 }, report)
  return { ...(temperature !== null && { temperature }), ...(topP !== null && { top_p: topP }) }
}

/** A number within bounds, ends included; `null`: it is not given, or was refused. */
export function numberIn(
  fields: Fields,
  name: string,
  bounds: { readonly least: number; readonly most: number; readonly whole?: boolean },
  report: Report,
): number | null {
  const value = fields[name]
  if (value === undefined || value === null) return null
  const kind = bounds.whole === true ? 'an integer' : 'a number'
  if (typeof value !== 'number' || (bounds.whole === true && !Number.isSafeInteger(value))) {
    report('invalid_type', `Invalid type for '${name}': expected ${kind}.`, name)
    return null
  }
  if (value >= bounds.least && value <= bounds.most) return value
  const ends =
    bounds.most === Number.MAX_SAFE_INTEGER ? `at least ${bounds.least}` : `from ${bounds.least} to ${bounds.most}`
  report('invalid_value', `Invalid value for '${name}': expected ${kind} ${ends}.`, name)
  return null
}

type Effort = NonNullable<ModelParams['reasoning_effort']>
const EFFORTS: readonly string[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] satisfies readonly Effort[]

/** A reasoning effort; `null`: it is not given, or was refused. */
export function effortOf(value: Value | undefined, param: string, report: Report): Effort | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && EFFORTS.includes(value)) return value as Effort
  report('invalid_value', `Invalid value for '${param}': expected one of ${EFFORTS.join(', ')}.`, param)
  return null
}
