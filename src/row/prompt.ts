import type { FixedPart, JsonSchema, Message, ModelParams } from '../domain/request.ts'
import type { Row } from '../domain/row.ts'
import type { PromptSpec } from '../domain/spec.ts'
import { analyseTemplate, type TemplateAnalysis } from './analyse.ts'
import { fixedText } from './fixed-text.ts'
import { jsonText } from './json-text.ts'
import type { TemplateFault } from './liquid.ts'
import type { World } from './scope.ts'
import { compileTemplate } from './template.ts'

/** The prompt of one row, or which template failed on it, and why. */
export type Prompted = Prompt | { readonly ok: false; readonly message: string }

export interface Prompt {
  readonly ok: true
  readonly system: string | null
  /** The last is the user's. */
  readonly messages: readonly Message[]
  readonly fixed: FixedPart
  /** What the row itself says beside the texts; absent: what the spec says. */
  readonly own?: { readonly params: ModelParams; readonly schema: JsonSchema | null }
}

/** Renders the prompts of rows. */
export type PromptOf = (row: Row) => Prompted

/** What `analyseTemplate` said of the two templates; both without faults. */
export interface PromptAnalyses {
  readonly system: TemplateAnalysis
  readonly user: TemplateAnalysis
}

/**
 * Compiles the prompt. Where `user` names no column, the row follows it as one JSON object after a blank line; without `user` that object
 * is the prompt.
 */
export function compilePrompt(prompt: PromptSpec, analyses: PromptAnalyses, world: World): PromptOf {
  const system = prompt.system === null ? null : compileTemplate(prompt.system, analyses.system, world)
  const user = prompt.user === null ? null : compileTemplate(prompt.user, analyses.user, world)
  const namesRow = analyses.user.variables.some((variable) => variable.path[0] !== 'vars')
  const rowJson = rowWriter(world.columns)
  const fixed = fixedPart(prompt, world)
  return (row) => {
    const first = system === null ? null : system.render(row)
    if (first !== null && 'fault' in first) return failed('prompt.system', first.fault)
    const second = user === null ? { text: '' } : user.render(row)
    if ('fault' in second) return failed('prompt.user', second.fault)
    const text = namesRow ? second.text : withRow(second.text, rowJson(row))
    return { ok: true, system: first === null ? null : first.text, messages: [{ role: 'user', text }], fixed }
  }
}

/** Of requests of which nothing is known to be the same. */
export const NOTHING_FIXED: FixedPart = Object.freeze({ system: false, userChars: 0, bytes: 0 })

/** What both templates begin with whatever the row is. Blanks at the end may be trimmed by what follows them, and are left out. */
function fixedPart(prompt: PromptSpec, world: World): FixedPart {
  const system = prompt.system === null ? { head: '', row: null } : fixedText(prompt.system)
  if (system.row !== null) return NOTHING_FIXED
  const [first, second] = [headText(system.head, world), headText(fixedText(prompt.user ?? '').head, world).trimEnd()]
  const bytes = Buffer.byteLength(first) + Buffer.byteLength(second)
  return Object.freeze({ system: true, userChars: second.length, bytes })
}

function headText(head: string, { vars }: World): string {
  const rendered = compileTemplate(head, analyseTemplate(head), { columns: [], vars }).render(NO_ROW)
  return 'fault' in rendered ? '' : rendered.text
}

const NO_ROW: Row = Object.freeze({ index: 0, id: '', values: [] })

function withRow(text: string, json: string): string {
  if (text.trim() === '') return json
  return `${text}${text.endsWith('\n') ? '\n' : '\n\n'}${json}`
}

/** Writes a row as compact JSON in the order of its columns, whatever their names. */
function rowWriter(columns: readonly string[]): (row: Row) => string {
  const keys = columns.map((name, at) => `${at === 0 ? '' : ','}${JSON.stringify(name)}:`)
  return (row) => {
    let text = '{'
    for (const [at, key] of keys.entries()) text += key + jsonText(row.values[at] ?? null)
    return `${text}}`
  }
}

function failed(place: string, fault: TemplateFault): Prompted {
  return { ok: false, message: `${place}, line ${fault.line}, column ${fault.column}: ${fault.message}` }
}
