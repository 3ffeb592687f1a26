import { type Draw, pick } from './draw.ts'
import { isRecord, type Schema } from './schema.ts'

type Spoiler = (json: string) => string

/** What models do to JSON and `jsonrepair` can undo. */
const MENDABLE: readonly Spoiler[] = [
  (json) => `\`\`\`json\n${json}\n\`\`\``,
  (json) => `Here is the JSON you asked for:\n${json}`,
  (json) => json.replace(/([\]}])$/, ',$1').replace(/^([^\]}]*)$/, '$1,'),
  (json) => `${json.replace(/"([A-Za-z_]\w*)":/g, "'$1':")}${json.includes('":') ? '' : ','}`,
]
/** And what nothing can be made of. */
const LOST: readonly Spoiler[] = [
  (json) => json.slice(0, Math.floor(json.length / 2)).replace(/[}\]]+$/, ''),
  () => '[simulated] I looked at the text, but I would rather describe it in my own words.',
]

/** `json` as text that `JSON.parse` refuses: two times of three something that can be repaired, else something that cannot. */
export function malformed(json: string, draw: Draw): string {
  return pick(draw, draw() < 2 / 3 ? MENDABLE : LOST)(json)
}

/** What stands where something else was asked for. */
const NONSENSE = '[simulated] not what was asked for'

/** `value` with something missing or wrong, so that `schema` refuses it; `null` where the schema would take anything. */
export function misfit(value: unknown, schema: Schema, draw: Draw): unknown {
  if (!isRecord(schema)) return null
  const required = Array.isArray(schema.required) ? schema.required.map(String) : []
  if (isRecord(value) && required.length > 0) {
    const name = pick(draw, required)
    const property = isRecord(schema.properties) ? schema.properties[name] : undefined
    if (draw() < 0.5 && isRecord(property) && hasClosedValues(property)) return { ...value, [name]: NONSENSE }
    return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
  }
  if (isRecord(value) && isRecord(schema.properties)) return [NONSENSE]
  return 'type' in schema || 'enum' in schema || 'const' in schema ? wrongType(value) : null
}

function hasClosedValues(schema: Readonly<Record<string, unknown>>): boolean {
  return (
    Array.isArray(schema.enum) || schema.type === 'boolean' || schema.type === 'number' || schema.type === 'integer'
  )
}

function wrongType(value: unknown): unknown {
  return isRecord(value) ? [NONSENSE] : { note: NONSENSE }
}
