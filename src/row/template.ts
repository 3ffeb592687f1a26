import { type Template as Node, Output, TypeGuards } from 'liquidjs'
import type { Row, Value } from '../domain/row.ts'
import type { TemplateAnalysis } from './analyse.ts'
import { asText, faultsOf, liquid, type TemplateFault } from './liquid.ts'
import { type ScopeOf, scopeFor, type World } from './scope.ts'

/** A rendered text, or the fault that this row met. */
export type Rendered = { readonly text: string } | { readonly fault: TemplateFault }

/** A template, compiled once. Values go through byte for byte and are never parsed as a template again. */
export interface CompiledTemplate {
  render(row: Row): Rendered
}

/** Rows of a template whose rendering may take too long before no other is tried: the whole process waits for each. */
const SLOW_ROWS = 3

/** Compiles a template that `analyseTemplate` found no fault in, and whose names are all known. */
export function compileTemplate(text: string, analysis: TemplateAnalysis, world: World): CompiledTemplate {
  const nodes = liquid.parse(text)
  const pieces = directPieces(nodes, world)
  const scopeOf = scopeFor(analysis.variables, world)
  let slowRows = 0
  return Object.freeze({
    render(row: Row): Rendered {
      if (slowRows === SLOW_ROWS)
        return { fault: { message: `this takes too long, as ${SLOW_ROWS} rows have shown`, line: 1, column: 1 } }
      try {
        return { text: pieces === null ? renderNodes(nodes, scopeOf, row) : joinPieces(pieces, row) }
      } catch (error) {
        if (isTooSlow(error)) slowRows += 1
        return { fault: faultsOf(error)[0] as TemplateFault }
      }
    },
  })
}

function renderNodes(nodes: Node[], scopeOf: ScopeOf, row: Row): string {
  try {
    return liquid.renderSync(nodes, scopeOf(row, null)) as string
  } catch (error) {
    // The time limit also strikes a process that was stopped in the middle of a render; what fails twice fails by itself.
    if (isTooSlow(error)) return liquid.renderSync(nodes, scopeOf(row, null)) as string
    throw error
  }
}

function isTooSlow(error: unknown): boolean {
  return error instanceof Error && error.message.includes('template render limit exceeded')
}

type Piece = string | ((row: Row) => string)

/** Filters that look at nothing but their value and arguments. */
const DIRECT_FILTERS = new Set(['truncate_tokens', 'json', 'strip', 'truncate', 'default'])

/** What those filters ask of LiquidJS's context. */
const FILTER_CONTEXT = Object.freeze({
  context: { opts: liquid.options, memoryLimit: { use: () => undefined } },
  liquid,
})

/**
 * A template that is only text and `{{ column | filter: literal }}` as pieces to be joined, which gives what LiquidJS gives at a tenth of the
 * cost; `null` for any other.
 */
function directPieces(nodes: readonly Node[], world: World): readonly Piece[] | null {
  const pieces: Piece[] = []
  for (const node of nodes) {
    if (node instanceof Output) {
      const piece = directOutput(node, world)
      if (piece === null) return null
      pieces.push(piece)
    } else if (TypeGuards.isHTMLToken(node.token)) {
      pieces.push(node.token.getContent())
    } else {
      return null
    }
  }
  return pieces
}

function directOutput(node: Output, world: World): Piece | null {
  const [token, ...more] = node.value.initial.postfix
  if (token === undefined || more.length > 0 || !TypeGuards.isPropertyAccessToken(token) || token.variable) return null
  const path = token.props.map((prop) => ('content' in prop ? prop.content : null))
  const read = directRead(path, world)
  // LiquidJS puts our `outputEscape` last among the filters; `asText` stands for it here.
  const filters = node.value.filters.slice(0, -1)
  if (read === null || !filters.every((filter) => DIRECT_FILTERS.has(filter.name))) return null
  const calls: ((value: unknown) => unknown)[] = []
  for (const filter of filters) {
    const args = filter.args.map((arg) => (!Array.isArray(arg) && 'content' in arg ? { content: arg.content } : null))
    const handler = liquid.filters[filter.name]
    if (typeof handler !== 'function' || args.includes(null)) return null
    const contents = args.map((arg) => arg?.content)
    calls.push((value) => handler.apply(FILTER_CONTEXT as never, [value, ...contents]))
  }
  if (calls.length === 0) return (row) => asText(read(row))
  return (row) => asText(calls.reduce<unknown>((value, call) => call(value), read(row)))
}

function directRead(path: readonly unknown[], world: World): ((row: Row) => Value) | null {
  const [root, name, ...more] = path
  if (more.length > 0 || typeof root !== 'string') return null
  if (root === 'vars' && typeof name === 'string' && Object.hasOwn(world.vars, name)) {
    const value = world.vars[name] as Value
    return () => value
  }
  const column = root === 'row' ? name : path.length === 1 && root !== 'vars' ? root : null
  const at = typeof column === 'string' ? world.columns.indexOf(column) : -1
  return at < 0 ? null : (row) => row.values[at] ?? null
}

function joinPieces(pieces: readonly Piece[], row: Row): string {
  let text = ''
  for (const piece of pieces) text += typeof piece === 'string' ? piece : piece(row)
  return text
}
