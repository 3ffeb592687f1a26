import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from 'yaml'
import type { Finding, Place } from '../errors.ts'
import { filePositions, type Path, type Positions, toPointer } from './positions.ts'
import { type ScalarSource, scalarOffset } from './scalar-offset.ts'

/** A spec file as read: plain JSON values, and where each of them stands. */
export interface SpecDocument {
  readonly value: unknown
  readonly positions: Positions
  /** What kept the text from being read; `value` is of no use where there is any. */
  readonly findings: readonly Finding[]
}

type YamlDocument = ReturnType<typeof parseDocument>

/** Offsets of one part of the file, by its JSON pointer. */
interface Spot {
  readonly key: number | null
  readonly value: number
  readonly scalar: Scalar | null
}

/**
 * Reads YAML 1.2: one document, no duplicate keys, no tags of one's own; anchors, aliases and `<<` are allowed.
 * Every syntax error becomes a finding with its line and column.
 */
export function readYaml(text: string, file: string): SpecDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false })
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const findings = syntaxFindings(document, text, placeAt)
  if (findings.length > 0) return { value: null, positions: filePositions(file), findings }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 1000 })
    // Only now: what unfolds beyond all measure has been refused.
    const spots = new Map<string, Spot>()
    if (document.contents !== null) collectSpots(document, document.contents, [], null, spots, new Set())
    return { value, positions: yamlPositions(file, text, spots, placeAt), findings }
  } catch (error) {
    // An alias without its anchor, or one that unfolds beyond all measure.
    const message = error instanceof Error ? error.message : String(error)
    const finding: Finding = { severity: 'error', place: placeAt(0), message, hint: null }
    return { value: null, positions: filePositions(file), findings: [finding] }
  }
}

/** Reads JSON, with the same positions and the same refusal of duplicate keys as YAML. */
export function readJson(text: string, file: string): SpecDocument {
  const document = readYaml(text, file)
  try {
    const value: unknown = JSON.parse(text)
    return { ...document, value }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const at = / \(line (\d+) column (\d+)\)$/.exec(message)
    // Not every message of JSON.parse says where: then what YAML stumbles over is as good.
    if (at === null && document.findings.length > 0) return document
    const place = { file, line: at === null ? null : Number(at[1]), column: at === null ? null : Number(at[2]) }
    const finding: Finding = {
      severity: 'error',
      place,
      message: at === null ? message : message.slice(0, at.index),
      hint: null,
    }
    return { ...document, value: null, findings: [finding] }
  }
}

function syntaxFindings(document: YamlDocument, text: string, placeAt: (offset: number) => Place): Finding[] {
  const findings: Finding[] = []
  const seenLines = new Set<number | null>()
  for (const problem of [...document.errors, ...document.warnings]) {
    const place = placeAt(problem.pos[0])
    // One slip makes the parser stumble over the rest of its line: the first error there says it.
    if (seenLines.has(place.line)) continue
    seenLines.add(place.line)
    findings.push({ severity: 'error', place, ...explain(problem.code, problem.message, text, problem.pos[0]) })
  }
  return findings
}

function explain(
  code: string,
  message: string,
  text: string,
  offset: number,
): { message: string; hint: string | null } {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? ''
  switch (code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab is used for indentation', hint: 'YAML is indented with spaces: replace the tab by two.' }
    case 'DUPLICATE_KEY': {
      const key = /^["']?([^"':,}\s]+)/.exec(text.slice(offset))?.[1] ?? ''
      return { message: `the key "${key}" stands here a second time`, hint: 'Keep one of the two.' }
    }
    case 'MULTIPLE_DOCS':
      return { message: 'a second YAML document begins here', hint: 'One file holds one spec: remove the `---`.' }
    case 'TAG_RESOLVE_FAILED':
      return {
        message: message.replace('Unresolved tag', 'unknown tag'),
        hint: 'Tags (`!name`) have no meaning in a spec.',
      }
    default:
      if (/\{.*\benum\[/.test(line)) {
        return { message, hint: 'Inside { } the short form must be quoted: "enum[a, b]".' }
      }
      if (code === 'BLOCK_AS_IMPLICIT_KEY' || /\{\{|: .*: /.test(line)) {
        return { message, hint: 'Quote the text: a `: ` or a `{` in it has a meaning of its own in YAML.' }
      }
      return { message, hint: null }
  }
}

function collectSpots(
  document: YamlDocument,
  node: Node,
  path: Path,
  key: number | null,
  spots: Map<string, Spot>,
  above: ReadonlySet<Node>,
): void {
  const pointer = toPointer(path)
  const target = isAlias(node) ? node.resolve(document) : node
  if (!spots.has(pointer)) {
    spots.set(pointer, { key, value: node.range?.[0] ?? key ?? 0, scalar: isScalar(target) ? target : null })
  }
  // An anchor that holds an alias to itself would be walked for ever.
  if (target === undefined || above.has(target)) return
  const within = new Set(above).add(target)
  if (isSeq(target)) {
    target.items.forEach((item, index) => {
      if (isNode(item)) collectSpots(document, item, [...path, index], item.range?.[0] ?? null, spots, within)
    })
  } else if (isMap(target)) {
    for (const pair of target.items) collectPair(document, pair, path, spots, within)
  }
}

function collectPair(
  document: YamlDocument,
  pair: Pair,
  path: Path,
  spots: Map<string, Spot>,
  above: ReadonlySet<Node>,
): void {
  if (!isScalar(pair.key)) return
  const at = pair.key.range?.[0] ?? null
  const name = String(pair.key.value)
  // The key of a merge is a symbol, that of a plain "<<" a text.
  if (typeof pair.key.value === 'symbol' && isNode(pair.value)) {
    const merged = isAlias(pair.value) ? pair.value.resolve(document) : pair.value
    const maps = isSeq(merged) ? merged.items : [merged]
    for (const map of maps) if (isNode(map)) collectSpots(document, map, path, at, spots, above)
  } else if (isNode(pair.value)) {
    collectSpots(document, pair.value, [...path, name], at, spots, above)
  } else {
    spots.set(toPointer([...path, name]), { key: at, value: at ?? 0, scalar: null })
  }
}

function isNode(value: unknown): value is Node {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value)
}

const STYLES: Readonly<Record<string, ScalarSource['style']>> = {
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
  QUOTE_DOUBLE: 'double',
  QUOTE_SINGLE: 'single',
  PLAIN: 'plain',
}

function yamlPositions(
  file: string,
  text: string,
  spots: ReadonlyMap<string, Spot>,
  placeAt: (offset: number) => Place,
): Positions {
  const find = (path: Path): { spot: Spot | null; exact: boolean } => {
    for (let end = path.length; end >= 0; end--) {
      const spot = spots.get(toPointer(path.slice(0, end)))
      if (spot !== undefined) return { spot, exact: end === path.length }
    }
    return { spot: null, exact: false }
  }
  const key = (path: Path): Place => {
    const { spot } = find(path)
    return placeAt(spot?.key ?? spot?.value ?? 0)
  }
  const value = (path: Path): Place => {
    const { spot, exact } = find(path)
    // A part that is missing is best looked for at the key of the block it should be in.
    return placeAt((exact ? spot?.value : (spot?.key ?? spot?.value)) ?? 0)
  }
  const inText = (path: Path, line: number, column: number): Place => {
    const scalar = find(path).spot?.scalar
    const style = STYLES[scalar?.type ?? '']
    if (!scalar?.range || style === undefined || typeof scalar.value !== 'string') return value(path)
    const [start, end] = scalar.range
    const index = indexOf(scalar.value, line, column)
    return placeAt(scalarOffset(text, { style, start, end, value: scalar.value }, index))
  }
  return Object.freeze({ file, key, value, text: inText })
}

/** Index of a line and column (from 1) in a text, never past its end. */
function indexOf(text: string, line: number, column: number): number {
  let start = 0
  for (let n = 1; n < line; n++) {
    const newline = text.indexOf('\n', start)
    if (newline === -1) break
    start = newline + 1
  }
  return Math.min(start + column - 1, text.length)
}

/** The place and message of a root that is no mapping, or `null` when it is one. */
export function rootFinding(document: SpecDocument): Finding | null {
  const { value, positions } = document
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return null
  const place = positions.value([])
  const hint = 'A spec is a mapping of keys: name, input, model, prompt, output, … `sluice init` writes one.'
  if (value === null || value === undefined) return { severity: 'error', place, message: 'the file is empty', hint }
  const kind = Array.isArray(value) ? 'a list' : `a single ${typeof value}`
  return { severity: 'error', place, message: `the file holds ${kind}, not a spec`, hint }
}
