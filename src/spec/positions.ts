import type { Finding, Place } from '../errors.ts'

/** Where something stands in a spec: object keys and list indices from the root. */
export type Path = readonly (string | number)[]

/** Where the parts of a spec stand in its file. What has no place of its own has that of the nearest part around it. */
export interface Positions {
  /** As shown to the user. */
  readonly file: string
  /** Of a key; for a list item, of the item. */
  key(path: Path): Place
  /** Of a value. */
  value(path: Path): Place
  /** Of a line and column (from 1) inside a text value: a spot in a template, mapped to the file. */
  text(path: Path, line: number, column: number): Place
}

/** Positions of a spec that came without text: a module, or an object. All it knows is the name of the file. */
export function filePositions(file: string): Positions {
  const place: Place = Object.freeze({ file, line: null, column: null })
  return Object.freeze({ file, key: () => place, value: () => place, text: () => place })
}

/** `positions`, except that whatever lies under one of `given` (JSON pointer → flag) came from the command line. */
export function withFlags(positions: Positions, given: ReadonlyMap<string, string>): Positions {
  const flagOf = (path: Path): Place | null => {
    for (let end = path.length; end > 0; end--) {
      const flag = given.get(toPointer(path.slice(0, end)))
      if (flag !== undefined) return { file: flag, line: null, column: null }
    }
    return null
  }
  return Object.freeze({
    file: positions.file,
    key: (path: Path) => flagOf(path) ?? positions.key(path),
    value: (path: Path) => flagOf(path) ?? positions.value(path),
    text: (path: Path, line: number, column: number) => flagOf(path) ?? positions.text(path, line, column),
  })
}

/** A path as a JSON pointer (RFC 6901). */
export function toPointer(path: Path): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** A JSON pointer as a path; indices stay text. */
export function fromPointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A path as people write it: `model.fallback[0].when`. */
export function formatPath(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number' || /^\d+$/.test(part)) text += `[${part}]`
    else if (/^[\w$-]+$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${JSON.stringify(part)}]`
  }
  return text
}

/** Collects findings on one spec, each with its place. */
export interface Report {
  readonly positions: Positions
  readonly findings: readonly Finding[]
  add(severity: Finding['severity'], place: Place | null, message: string, hint?: string | null): void
  /** An error at the value of `path`. */
  error(path: Path, message: string, hint?: string | null): void
  warning(path: Path, message: string, hint?: string | null): void
  /** An error for a part that is known but not built. */
  notYet(place: Place, message: string, hint: string): void
  /** How many of the errors are such. */
  readonly notYetCount: number
}

/** An empty report over `positions`. */
export function newReport(positions: Positions): Report {
  const findings: Finding[] = []
  const add: Report['add'] = (severity, place, message, hint = null) => {
    findings.push(Object.freeze({ severity, place, message, hint }))
  }
  let notYetCount = 0
  return {
    positions,
    findings,
    add,
    notYet: (place, message, hint) => {
      notYetCount++
      add('error', place, message, hint)
    },
    get notYetCount() {
      return notYetCount
    },
    error: (path, message, hint) => add('error', positions.value(path), message, hint),
    warning: (path, message, hint) => add('warning', positions.value(path), message, hint),
  }
}

const SEVERITY = { ok: 0, warning: 1, error: 2 } as const

/** What is well first, errors last; each group in the order of the file. */
export function sortFindings(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted(
    (a, b) =>
      SEVERITY[a.severity] - SEVERITY[b.severity] || (a.severity === 'ok' ? 0 : comparePlaces(a.place, b.place)),
  )
}

function comparePlaces(a: Place | null, b: Place | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  return (
    Number(a.line === null) - Number(b.line === null) ||
    (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
    (a.line ?? 0) - (b.line ?? 0) ||
    (a.column ?? 0) - (b.column ?? 0)
  )
}
