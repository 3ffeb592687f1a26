import { type StaticAnalysis, type Template, Value, Variable } from 'liquidjs'
import { collectingLiquid, faultsOf, lenientLiquid, liquid, type TemplateFault } from './liquid.ts'
import { strayPart, strayParts } from './stray.ts'

/** A name that a template takes from outside: `['row', 'odd name']` for `{{ row["odd name"] }}`. Parts that are computed end the path. */
export interface TemplateVariable {
  readonly path: readonly string[]
  /** Place in the template, from 1. */
  readonly line: number
  readonly column: number
}

export interface TemplateAnalysis {
  /** In the order of the text. Names that the template makes itself (`assign`, `for`, `capture`) are not among them. */
  readonly variables: readonly TemplateVariable[]
  readonly errors: readonly TemplateFault[]
}

/** The names that a prompt template uses, and all its faults, with places in the template. Never throws; spends nothing. */
export function analyseTemplate(text: string): TemplateAnalysis {
  const errors = faultsIn(() => collectingLiquid.parse(text))
  try {
    const templates = lenientLiquid.parse(text)
    const stray = errors.length > 0 ? [] : strayParts(templates, text)
    return { variables: variablesOf(lenientLiquid.analyzeSync(templates)), errors: [...errors, ...stray] }
  } catch (error) {
    return { variables: [], errors: errors.length > 0 ? errors : faultsOf(error) }
  }
}

/** The names that a condition (`input.where`, `output.checks[].that`) uses, and its faults. Never throws. */
export function analyseCondition(text: string): TemplateAnalysis {
  try {
    const value = new Value(text, liquid)
    const stray = strayPart(value, text, text.length)
    const carrier = { token: value.initial.postfix[0], arguments: () => [value] } as unknown as Template
    return { variables: variablesOf(liquid.analyzeSync([carrier])), errors: stray === null ? [] : [stray] }
  } catch (error) {
    return {
      variables: [],
      errors: text.trim() === '' ? [{ message: 'the condition is empty', line: 1, column: 1 }] : faultsOf(error),
    }
  }
}

function faultsIn(parse: () => unknown): readonly TemplateFault[] {
  try {
    parse()
    return []
  } catch (error) {
    return faultsOf(error)
  }
}

/** The names that an analysed template takes from outside, in the order of the text. */
export function variablesOf(analysis: StaticAnalysis): readonly TemplateVariable[] {
  return Object.values(analysis.globals)
    .flat()
    .map((variable) => ({
      path: pathOf(variable),
      line: variable.location.row,
      column: variable.location.col,
    }))
    .sort((a, b) => a.line - b.line || a.column - b.column)
}

function pathOf(variable: Variable): readonly string[] {
  const path: string[] = []
  for (const segment of variable.segments) {
    if (segment instanceof Variable) break
    path.push(String(segment))
  }
  return path
}

/** The names that a template or condition may use. */
export interface KnownNames {
  readonly columns: readonly string[]
  readonly vars: readonly string[]
  /** Fields of `output`, in checks only. */
  readonly output: readonly string[] | null
}

/** The used names that are none of the known ones, as faults. */
export function unknownNames(variables: readonly TemplateVariable[], known: KnownNames): readonly TemplateFault[] {
  const columns = new Set(known.columns)
  const groups = new Map<string, ReadonlySet<string>>([
    ['row', columns],
    ['vars', new Set(known.vars)],
    ...(known.output === null ? [] : [['output', new Set(known.output)] as const]),
  ])
  return variables.flatMap(({ path, line, column }) => {
    const [root = '', second] = path
    const group = groups.get(root)
    if (group === undefined) {
      return columns.has(root) ? [] : [{ message: `there is no column "${root}"`, line, column }]
    }
    return second === undefined || group.has(second)
      ? []
      : [{ message: `there is no "${root}.${second}"`, line, column }]
  })
}
