import { Drop, type FilterImplOptions, Liquid, LiquidError, Token } from 'liquidjs'
import { cutBytes } from './cut.ts'
import { jsonText } from './json-text.ts'

/** UTF-8 bytes that one token is taken to be, by `truncate_tokens` and by estimates: English prose has 4 to 4.5. */
const BYTES_PER_TOKEN = 4

/**
 * Left out of Liquid: what reads files, what writes into the scope, what prints in its own way, what depends on the clock, the time zone or
 * chance, and filters that take an expression as text (row text must never be parsed).
 */
const TAGS_LEFT_OUT = ['include', 'render', 'layout', 'block', 'increment', 'decrement', 'tablerow', 'cycle']
const FILTERS_LEFT_OUT =
  /^(?:date|date_to_.*|.*_exp|sample|inspect|jsonify|escape|escape_once|xml_escape|newline_to_br|strip_html)$/

/** Filters that LiquidJS would give `[object Object]` for lists and objects: here they work on their JSON. */
const TEXT_FILTERS =
  /^(?:append|capitalize|downcase|lstrip|prepend|remove.*|replace.*|rstrip|split|squish|strip.*|truncate.*|upcase|url_encode)$/

const MAX_TEMPLATE_CHARS = 1_000_000
/** Characters and list items that one render may produce. */
const MAX_RENDER_UNITS = 100_000_000
/** A guard against loops within loops, for whose time a whole process stands still; no template that ends comes near it. */
const MAX_RENDER_MS = 1_000

/** One fault of a template, with its place in it, from 1. */
export interface TemplateFault {
  readonly message: string
  readonly line: number
  readonly column: number
}

/**
 * A Liquid as prompts need it: unknown names are errors, nothing is escaped, no file is read, only own properties are seen, limits hold.
 * In `if`, `unless`, `case` and before `default`, a property that a row's nested value lacks counts as empty.
 */
function createLiquid(mode: 'strict' | 'collecting' | 'lenient'): Liquid {
  const liquid = new Liquid({
    strictVariables: true,
    strictFilters: mode !== 'lenient',
    catchAllErrors: mode === 'collecting',
    lenientIf: true,
    ownPropertyOnly: true,
    relativeReference: false,
    templates: {},
    locale: 'en-US',
    outputEscape: asText,
    parseLimit: MAX_TEMPLATE_CHARS,
    memoryLimit: MAX_RENDER_UNITS,
    renderLimit: MAX_RENDER_MS,
  })
  for (const tag of TAGS_LEFT_OUT) delete liquid.tags[tag]
  for (const name of Object.keys(liquid.filters)) if (FILTERS_LEFT_OUT.test(name)) liquid.unregisterFilter(name)
  for (const [name, filter] of Object.entries(liquid.filters)) {
    if (typeof filter !== 'function') continue
    if (TEXT_FILTERS.test(name)) liquid.registerFilter(name, onText(filter))
    if (name === 'join') liquid.registerFilter(name, onTexts(filter))
  }
  liquid.registerFilter('json', (value: unknown) => jsonText(value))
  liquid.registerFilter('raw', (value: unknown) => value)
  liquid.registerFilter('truncate_tokens', truncateTokens)
  return liquid
}

type FilterFunction = Extract<FilterImplOptions, (...args: never[]) => unknown>

function onText(filter: FilterFunction): FilterFunction {
  return function (value, ...args) {
    const plain = typeof value !== 'object' || value === null || value instanceof Drop
    return filter.call(this, plain ? value : jsonText(value), ...args)
  }
}

function onTexts(filter: FilterFunction): FilterFunction {
  return function (value, ...args) {
    return filter.call(this, Array.isArray(value) ? value.map(asText) : value, ...args)
  }
}

/** How a value stands in a prompt: text byte for byte, nothing for null, JSON for lists and objects, every digit of a number. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (value instanceof Drop) return asText(value.valueOf())
  return typeof value === 'object' ? jsonText(value) : String(value)
}

/** Keeps about the first `tokens` tokens: `4 × tokens` bytes of UTF-8, cut between two code points, with nothing put in its place. */
function truncateTokens(value: unknown, tokens: unknown): string {
  if (!Number.isSafeInteger(tokens) || (tokens as number) < 1) {
    throw new Error('truncate_tokens needs a whole number of tokens: {{ body | truncate_tokens: 3000 }}')
  }
  return cutBytes(asText(value), (tokens as number) * BYTES_PER_TOKEN)
}

/**
 * LiquidJS counts the lines before a token from the beginning each time that it is asked, and asks for each name: a long template with many names would
 * hold up the process for minutes. Here it goes on counting where it was asked last.
 */
function countLinesOnce(): void {
  let [input, at, line, column] = ['', 0, 1, 1]
  Token.prototype.getPosition = function (this: Token) {
    if (this.input !== input || this.begin < at) [input, at, line, column] = [this.input, 0, 1, 1]
    for (; at < this.begin; at++) [line, column] = input[at] === '\n' ? [line + 1, 1] : [line, column + 1]
    return [line, column]
  }
}

countLinesOnce()

/** Renders and evaluates. */
export const liquid = createLiquid('strict')

/** Collects every fault of a template instead of stopping at the first. */
export const collectingLiquid = createLiquid('collecting')

/** Also parses templates with unknown filters, to name their variables. */
export const lenientLiquid = createLiquid('lenient')

/** The faults that LiquidJS threw, in our words and with their places. What it did not throw is thrown on. */
export function faultsOf(error: unknown): readonly TemplateFault[] {
  if (!(error instanceof Error)) throw error
  const collected = (error as { readonly errors?: readonly Error[] }).errors
  if (Array.isArray(collected)) {
    const faults = collected.flatMap(faultsOf)
    const roots = faults.filter((fault) => !/^there is no tag "(?:end\w+|else|elsif|when)"$/.test(fault.message))
    // What stands loose only because its opening tag did not parse is no fault of its own.
    return roots.length > 0 ? roots : faults
  }
  const position = LiquidError.is(error) ? error.token.getPosition() : undefined
  return [{ message: reworded(error), line: position?.[0] ?? 1, column: position?.[1] ?? 1 }]
}

function reworded(error: Error): string {
  let root = error
  while (LiquidError.is(root) && root.originalError) root = root.originalError
  const bare = root.message.replace(/(?:, file:.*)?, line:\d+, col:\d+$/, '')
  return bare
    .replace(/^undefined variable: (.*)$/s, 'there is no "$1"')
    .replace(/^undefined filter: (.*)$/s, 'there is no filter "$1"')
    .replace(/^tag "(.*)" not found$/s, 'there is no tag "$1"')
}
