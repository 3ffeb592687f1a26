import type { ReadChat } from '../domain/chat.ts'
import type { Spec } from '../domain/spec.ts'
import { type Finding, SluiceError } from '../errors.ts'
import { analyseCondition, analyseTemplate, type KnownNames, type TemplateAnalysis, unknownNames } from './analyse.ts'
import { type CompiledCondition, compileCondition } from './condition.ts'
import { createJudge, type Judge } from './judge.ts'
import { compileSchema } from './output-schema.ts'
import { compilePrompt, type PromptOf } from './prompt.ts'
import type { Faults } from './read-answer.ts'
import { compileRequests } from './request-column.ts'
import type { World } from './scope.ts'

/** The parts of a spec that rows run through, compiled. */
export interface Compiled {
  readonly prompt: PromptOf
  readonly where: CompiledCondition | null
  readonly judge: Judge
}

/** Compiles prompts, conditions and schema for rows with these columns. Throws SluiceError `spec_invalid` with every fault as a finding. */
export function compile(spec: Spec, columns: readonly string[], readChat?: ReadChat): Compiled {
  const findings: Finding[] = []
  const names = { columns, vars: Object.keys(spec.vars), output: null }
  const look = (place: string, analysis: TemplateAnalysis, known: KnownNames): TemplateAnalysis => {
    findings.push(...findingsOf(place, analysis, known))
    return analysis
  }
  const analyses = {
    system: look('prompt.system', analyseTemplate(spec.prompt.system ?? ''), names),
    user: look('prompt.user', analyseTemplate(spec.prompt.user ?? ''), names),
  }
  const where =
    spec.input.where === null ? null : { text: spec.input.where, analysis: analyseCondition(spec.input.where) }
  if (where !== null) look('input.where', where.analysis, names)
  const checks = spec.output.checks.map((check, index) => {
    const known = { ...names, output: spec.output.columns }
    return { ...check, analysis: look(`output.checks[${index}].that`, analyseCondition(check.that), known) }
  })
  const faults = schemaOf(spec, findings)
  if (findings.length > 0) throw new SluiceError('spec_invalid', summary(findings), { findings })

  const world: World = { columns, vars: spec.vars }
  if (spec.prompt.request !== undefined)
    return { where: null, ...compileRequests(spec.prompt.request, columns, readChat) }
  return {
    prompt: compilePrompt(spec.prompt, analyses, world),
    where: where === null ? null : compileCondition(where.text, where.analysis, world, { lenient: false }),
    judge: createJudge({
      schema: spec.output.schema,
      columns: spec.output.columns,
      faults,
      checks: checks.map(({ that, message, analysis }) => ({
        message,
        condition: compileCondition(that, analysis, world, { lenient: true }),
      })),
    }),
  }
}

function findingsOf(place: string, analysis: TemplateAnalysis, known: KnownNames): readonly Finding[] {
  const unknown = unknownNames(analysis.variables, known)
  return [
    ...analysis.errors.map((fault) => ({ fault, hint: null })),
    ...unknown.map((fault) => ({ fault, hint: columnsHint(known.columns) })),
  ].map(({ fault, hint }) => ({
    severity: 'error',
    place: null,
    message: `${place}, line ${fault.line}, column ${fault.column}: ${fault.message}`,
    hint,
  }))
}

const HINTED_COLUMNS = 12

function columnsHint(columns: readonly string[]): string {
  const listed = columns.slice(0, HINTED_COLUMNS).join(', ')
  return `The columns are: ${listed}${columns.length > HINTED_COLUMNS ? `, … (${columns.length})` : ''}.`
}

function schemaOf(spec: Spec, findings: Finding[]): Faults {
  if (spec.output.schema === null) return () => []
  try {
    return compileSchema(spec.output.schema)
  } catch (error) {
    const message = `output: the schema is not valid: ${error instanceof Error ? error.message : String(error)}`
    findings.push({ severity: 'error', place: null, message, hint: null })
    return () => []
  }
}

function summary(findings: readonly Finding[]): string {
  const [first] = findings
  return findings.length === 1 ? (first?.message ?? '') : `${first?.message ?? ''} (and ${findings.length - 1} more)`
}
