import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type Node, parseSync, visitorKeys } from 'oxc-parser'

/** One import or re-export as written; `names` are the imported names, `*` for the whole module. */
export interface Import {
  readonly from: string
  readonly names: readonly string[]
  readonly typeOnly: boolean
  readonly line: number
}

/** A parsed file of `src/`; `path` is relative to that folder, with forward slashes. */
export interface Source {
  readonly path: string
  readonly lines: number
  readonly text: string
  readonly imports: readonly Import[]
  /** Calls back for every node, with its parent and its first line. */
  walk(visit: (node: Node, parent: Node | null, line: number) => void): void
  /** The line that an offset lies on, from 1. */
  lineAt(offset: number): number
}

/** Parses one file; throws on a syntax error, since a rule that cannot read a file cannot vouch for it. */
export function parseSource(path: string, text: string): Source {
  const { program, errors } = parseSync(path, text)
  const [error] = errors
  if (error) throw new Error(`${path}: ${error.message}`)
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineAt = (offset: number) => starts.findLastIndex((start) => start <= offset) + 1
  const walk: Source['walk'] = (visit) =>
    walkFrom(program, null, (node, parent) => visit(node, parent, lineAt(node.start)))
  return {
    path,
    text,
    lines: text.endsWith('\n') ? starts.length - 1 : starts.length,
    imports: importsOf(walk),
    walk,
    lineAt,
  }
}

/** Every TypeScript file under a folder, parsed. */
export function readSources(folder: string): readonly Source[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) =>
      parseSource(posix.normalize(file.slice(folder.length + 1).replaceAll('\\', '/')), readFileSync(file, 'utf8')),
    )
}

function walkFrom(node: Node, parent: Node | null, visit: (node: Node, parent: Node | null) => void): void {
  visit(node, parent)
  const fields = node as unknown as Record<string, Node | (Node | null)[] | null | undefined>
  for (const key of visitorKeys[node.type] ?? []) {
    for (const child of [fields[key]].flat()) if (child) walkFrom(child, node, visit)
  }
}

function importsOf(walk: Source['walk']): Import[] {
  const found: Import[] = []
  walk((node, _, line) => {
    if (node.type === 'ImportDeclaration') {
      const values = node.specifiers.filter((one) => !(one.type === 'ImportSpecifier' && one.importKind === 'type'))
      const typeOnly = node.importKind === 'type' || (node.specifiers.length > 0 && values.length === 0)
      const names = (typeOnly ? node.specifiers : values).map((one) =>
        one.type === 'ImportSpecifier' && one.imported.type === 'Identifier' ? one.imported.name : '*',
      )
      found.push({ from: node.source.value, names, typeOnly, line })
    } else if ((node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration') && node.source) {
      found.push({ from: node.source.value, names: ['*'], typeOnly: node.exportKind === 'type', line })
    } else if (node.type === 'ImportExpression' && node.source.type === 'Literal') {
      found.push({ from: String(node.source.value), names: ['*'], typeOnly: false, line })
    } else if (node.type === 'TSImportType') {
      found.push({ from: node.source.value, names: ['*'], typeOnly: true, line })
    }
  })
  return found
}
