import { type Template, type Token, TypeGuards, toValueSync, Value } from 'liquidjs'
import type { TemplateFault } from './liquid.ts'

/**
 * What LiquidJS would leave out without a word, as faults: `{{ first name }}` prints `first`, `{% if a b %}` looks at `a` alone, an open quote
 * runs to the end. Every expression of the templates is looked at, nested ones too.
 */
export function strayParts(templates: readonly Template[], text: string): readonly TemplateFault[] {
  return templates.flatMap((template) => [
    ...[...(template.arguments?.() ?? [])].flatMap((argument) => {
      if (!(argument instanceof Value)) return []
      const from = lastEnd(argument)
      const close = text.slice(from).search(/-?[%}]\}/)
      return strayPart(argument, text, close < 0 ? text.length : from + close) ?? []
    }),
    ...strayParts(toValueSync(template.children?.(false, true) as never) ?? [], text),
  ])
}

/** The stray part of one expression that has to end at `end` in its text; `null` when there is none. */
export function strayPart(value: Value, text: string, end: number): TemplateFault | null {
  const operands: Token[] = []
  for (const token of value.initial.postfix) {
    if (TypeGuards.isQuotedToken(token) && (token.size() < 2 || text[token.begin] !== text[token.end - 1])) {
      return faultAt(text, token.begin, 'this quote is not closed')
    }
    if (!TypeGuards.isOperatorToken(token)) {
      operands.push(token)
    } else if (operands.length < (token.operator === 'not' ? 1 : 2)) {
      return faultAt(text, token.begin, `"${token.getText()}" lacks a side`)
    } else if (token.operator !== 'not') {
      operands.pop()
    }
  }
  const stray = operands[1]
  if (stray)
    return faultAt(text, stray.begin, `unexpected "${stray.getText()}"; a name with spaces is written row["…"]`)
  const last = lastEnd(value)
  const rest = text.slice(last, end)
  return rest.trim() === '' ? null : faultAt(text, last + rest.search(/\S/), `unexpected "${rest.trim()}"`)
}

function lastEnd(value: Value): number {
  const ends = value.initial.postfix.map((token) => token.end)
  // A filter's token is private in LiquidJS's types alone.
  const filters = value.filters as unknown as readonly { readonly token: Token }[]
  return Math.max(0, ...ends, ...filters.map((filter) => filter.token.end))
}

function faultAt(text: string, offset: number, message: string): TemplateFault {
  const before = text.slice(0, offset).split('\n')
  return { message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
