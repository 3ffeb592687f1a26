import type { Spec } from '../domain/spec.ts'
import { analyseCondition, analyseTemplate, type TemplateAnalysis, type TemplateVariable } from '../row/analyse.ts'
import { didYouMean, hintAmong } from '../spec/nearest.ts'
import type { Path, Report } from '../spec/positions.ts'
import { checkPrefix } from './check-prefix.ts'

/** What names stand for in a template or condition. `null`: not known. */
interface Names {
  readonly columns: readonly string[] | null
  readonly vars: readonly string[]
  /** In checks only; none: not known, since a schema names one at least. */
  readonly output: readonly string[] | null
}

/**
 * Whether every prompt and condition can be read, and uses only what there is: columns, `row`, `vars`, and in checks `output`.
 * Without known columns, their names are taken on trust.
 */
export function checkTemplates(spec: Spec, columns: readonly string[] | null, report: Report): void {
  const before = report.findings.length
  const names: Names = { columns, vars: Object.keys(spec.vars), output: null }
  const used = new Set<string>()
  const check = (analysis: TemplateAnalysis, path: Path, known: Names): TemplateAnalysis => {
    for (const { message, line, column } of analysis.errors)
      report.add('error', report.positions.text(path, line, column), message)
    for (const variable of analysis.variables) {
      checkName(variable, path, known, report)
      const column = columnOf(variable, known)
      if (column !== null) used.add(column)
    }
    return analysis
  }
  const { system, user } = spec.prompt
  if (system !== null) check(analyseTemplate(system), ['prompt', 'system'], names)
  const userAnalysis = user === null ? null : check(analyseTemplate(user), ['prompt', 'user'], names)
  if (spec.input.where !== null) check(analyseCondition(spec.input.where), ['input', 'where'], names)
  for (const [index, { that }] of spec.output.checks.entries()) {
    const path = ['output', 'checks', index, 'that']
    const analysis = check(analyseCondition(that), path, { ...names, output: spec.output.columns })
    if (analysis.errors.length === 0 && !analysis.variables.some(({ path: [root] }) => root === 'output')) {
      report.warning(path, 'this check does not look at output', 'Whatever the model answers, it stays as it is.')
    }
  }
  const isClean = !report.findings.slice(before).some((finding) => finding.severity === 'error')
  if (isClean && columns !== null)
    report.add('ok', null, `templates: ${used.size} of ${columns.length} columns used, all present`)
  if (isClean) checkPrefix(spec, report)
  if (isClean && userAnalysis !== null && !userAnalysis.variables.some((variable) => usesRow(variable, names))) {
    report.add(
      'ok',
      report.positions.value(['prompt', 'user']),
      'prompt.user names no column: the row follows it as one JSON object',
    )
  }
}

function checkName(variable: TemplateVariable, path: Path, known: Names, report: Report): void {
  const [root = '', second] = variable.path
  const fail = (message: string, hint: string) => {
    report.add('error', report.positions.text(path, variable.line, variable.column), message, hint)
  }
  if (root === 'vars') {
    if (second === undefined || known.vars.includes(second)) return
    fail(`unknown variable "vars.${second}"`, didYouMean(second, known.vars) ?? 'Declare it under vars:, with a value.')
  } else if (root === 'output' && known.output !== null) {
    if (second === undefined || known.output.length === 0 || known.output.includes(second)) return
    fail(`unknown output field "${second}"`, hintAmong(second, known.output, 'fields'))
  } else {
    const column = columnOf(variable, known)
    if (column === null || known.columns === null || known.columns.includes(column)) return
    fail(`unknown column "${column}"`, unknownColumnHint(column, known.columns, known))
  }
}

function unknownColumnHint(column: string, columns: readonly string[], known: Names): string {
  if (known.vars.includes(column)) return `did you mean vars.${column}?`
  if (column === 'output') return 'Only output.checks see the output.'
  return hintAmong(column, columns, 'columns')
}

/** The column that a name stands for: `subject`, or `row["odd name"]`. `null`: none, or one that only the row decides. */
function columnOf({ path: [root = '', second] }: TemplateVariable, known: Names): string | null {
  if (root === 'row') return second ?? null
  return root === 'vars' || (root === 'output' && known.output !== null) ? null : root
}

function usesRow(variable: TemplateVariable, known: Names): boolean {
  return variable.path[0] === 'row' || columnOf(variable, known) !== null
}
