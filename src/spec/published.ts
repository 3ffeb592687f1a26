import { isRecord } from './record.ts'
import { SPEC_SCHEMA } from './schema.ts'
import type { Shape } from './shape.ts'

/** The spec's schema as editors read it: JSON Schema draft-07, in which every optional key may also be null. It is `sluice.schema.json`. */
export function publishedSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'sluice spec',
    ...(publish(SPEC_SCHEMA as unknown as Shape) as Readonly<Record<string, unknown>>),
  }
}

function publish(shape: unknown): unknown {
  if (Array.isArray(shape)) return shape.map(publish)
  if (!isRecord(shape)) return shape
  const { later: _later, properties, ...plain } = shape
  const rest = Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, publish(value)]))
  if (!isRecord(properties)) return rest
  const required = Array.isArray(shape.required) ? shape.required : []
  const parts = Object.entries(properties).map(([name, part]) => {
    const published = publish(part) as Readonly<Record<string, unknown>>
    return [name, required.includes(name) ? published : orNull(published)]
  })
  return { ...rest, properties: Object.fromEntries(parts) }
}

function orNull(shape: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (Array.isArray(shape.anyOf)) return { ...shape, anyOf: [...shape.anyOf, { type: 'null' }] }
  if (Array.isArray(shape.enum)) return { ...shape, enum: [...shape.enum, null] }
  if (shape.const !== undefined) {
    const { type: _type, const: value, ...rest } = shape
    return { ...rest, enum: [value, null] }
  }
  return { ...shape, type: [shape.type, 'null'] }
}

/** The keys of a spec as a Markdown table, from the same source: the reference part of `docs/spec.md`. */
export function referenceTable(): string {
  const rows = rowsOf(SPEC_SCHEMA as unknown as Shape, '')
  return ['| key | value | default | |', '|---|---|---|---|', ...rows].join('\n')
}

function rowsOf(shape: Shape, prefix: string): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, part]) => {
    const isRequired = shape.required?.includes(name) === true
    const path = `${prefix}${name}`
    const standard = isRequired ? '**required**' : part.default === undefined ? '' : `\`${String(part.default)}\``
    const row = `| \`${path}\` | ${kindOf(part)} | ${standard} | ${cell(part.description ?? '')} |`
    const inner = part.items?.properties === undefined ? rowsOf(part, `${path}.`) : rowsOf(part.items, `${path}[].`)
    return [row, ...inner]
  })
}

function kindOf(part: Shape): string {
  if (part.const !== undefined) return `\`${String(part.const)}\``
  if (part.enum !== undefined)
    return part.enum.length > 8 ? 'name' : part.enum.map((each) => `\`${String(each)}\``).join(' ')
  const named = /^must be (?:an? )?(share|decimal|duration)/.exec(part.errorMessage ?? '')
  if (named !== null) return named[1] ?? ''
  if (part.type === 'array') {
    const item = part.items === undefined ? '' : kindOf(part.items)
    return item.startsWith('`') ? `list of ${item}` : `list of ${item}s`
  }
  return (
    { object: 'mapping', string: 'text', boolean: 'true, false', integer: 'whole number' }[part.type ?? ''] ??
    part.type ??
    ''
  )
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
