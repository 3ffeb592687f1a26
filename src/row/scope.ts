import type { Row, Value } from '../domain/row.ts'
import type { TemplateVariable } from './analyse.ts'

/** What templates and conditions of one program see: columns by name, `row`, `vars`, and in checks `output`. */
export interface World {
  readonly columns: readonly string[]
  readonly vars: Readonly<Record<string, string | number | boolean>>
}

/** Makes the scope of one row, holding only what the template uses. `row`, `vars` and `output` win over columns of that name. */
export type ScopeOf = (row: Row, output: Readonly<Record<string, unknown>> | null) => Record<string, unknown>

/** The scope for a template with these variables. Its objects have no prototype, so that a column may have any name. */
export function scopeFor(variables: readonly TemplateVariable[], world: World): ScopeOf {
  const roots = new Set(variables.map((variable) => variable.path[0]))
  const used = columnIndex(world.columns).filter(([name]) => roots.has(name))
  const vars = Object.assign(Object.create(null), world.vars) as Record<string, Value>
  return (row, output) => {
    const scope: Record<string, unknown> = Object.create(null)
    for (const [name, at] of used) scope[name] = row.values[at] ?? null
    if (roots.has('row')) scope.row = wholeRow(row, world.columns)
    if (roots.has('vars')) scope.vars = vars
    if (output !== null) scope.output = output
    return scope
  }
}

function wholeRow(row: Row, columns: readonly string[]): Record<string, Value> {
  const whole: Record<string, Value> = Object.create(null)
  for (const [at, name] of columns.entries()) whole[name] = row.values[at] ?? null
  return whole
}

function columnIndex(columns: readonly string[]): readonly (readonly [string, number])[] {
  return columns.map((name, at) => [name, at] as const)
}
