import { TypeGuards } from 'liquidjs'
import { type TemplateVariable, variablesOf } from './analyse.ts'
import { lenientLiquid } from './liquid.ts'

/** How much of a template is the same for every row, from its start on: that is what a provider's cache of prompts can keep. */
export interface FixedText {
  /** The template up to its first part that depends on the row: a template itself, that names nothing but `vars`. */
  readonly head: string
  /** Bytes of plain text after that, which no cache can use where they stand; what lies within tags is not counted. */
  readonly laterBytes: number
  /** Where the first name of the row stands, from 1; `null`: the template names none. */
  readonly row: { readonly name: string; readonly line: number; readonly column: number } | null
}

/** Looks for the first part of a template that depends on the row. For templates without faults. */
export function fixedText(template: string): FixedText {
  const nodes = lenientLiquid.parse(template)
  const name = variablesOf(lenientLiquid.analyzeSync(nodes)).find(({ path }) => path[0] !== 'vars')
  if (name === undefined) return { head: template, laterBytes: 0, row: null }
  const offset = offsetOf(template, name)
  const at = nodes.findLastIndex(({ token }) => token.begin <= offset)
  let laterBytes = 0
  for (const { token } of nodes.slice(at + 1))
    if (TypeGuards.isHTMLToken(token)) laterBytes += Buffer.byteLength(token.getContent())
  return {
    head: template.slice(0, nodes[at]?.token.begin ?? 0),
    laterBytes,
    row: { name: name.path.join('.'), line: name.line, column: name.column },
  }
}

function offsetOf(template: string, { line, column }: TemplateVariable): number {
  const before = template.split('\n').slice(0, line - 1)
  return before.reduce((sum, text) => sum + text.length + 1, column - 1)
}
