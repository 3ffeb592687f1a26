import type { Shape } from '../spec/shape.ts'
import { SERVE_SCHEMA } from './schema.ts'
import { PLAIN_VALUES } from './variables.ts'

/** The keys of the configuration as a Markdown table, from their schema: the reference part of `docs/operations.md`. */
export function serveReference(): string {
  const variables = new Map(PLAIN_VALUES.map(({ path, variable }) => [path.join('.'), variable]))
  const rows = rowsOf(SERVE_SCHEMA as unknown as Shape, '').map(({ path, shape }) => {
    const variable = variables.get(path)
    const standard = shape.default === undefined ? '' : `\`${String(shape.default)}\``
    return `| \`${path}\` | ${variable === undefined ? '' : `\`${variable}\``} | ${standard} | ${shape.description ?? ''} |`
  })
  return ['| key | variable | default | |', '|---|---|---|---|', ...rows].join('\n')
}

interface Key {
  readonly path: string
  readonly shape: Shape
}

function rowsOf(root: Shape, prefix: string): Key[] {
  return Object.entries(root.properties ?? {}).flatMap(([name, shape]) => {
    const path = `${prefix}${name}`
    const branches = [shape, ...(shape.anyOf ?? [])]
    return [{ path, shape }, ...branches.flatMap((branch) => rowsOf(branch, `${path}.`))]
  })
}
