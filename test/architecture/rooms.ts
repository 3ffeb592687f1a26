import { posix } from 'node:path'
import type { Source } from './source.ts'

/**
 * The rooms of `src/` in the order in which they may know each other: a room imports from earlier groups only, and never
 * from another room of its own group. `config` is read by `compose` and the faces alone.
 */
const groups: readonly (readonly string[])[] = [
  ['domain'],
  ['errors', 'events', 'runtime'],
  ['access', 'chat', 'spec', 'row', 'limit', 'provider', 'table', 'store', 'queue', 'blob', 'reuse', 'simulator'],
  ['intake', 'batch', 'lane', 'plan', 'delivery', 'notify'],
  ['job', 'worker'],
  ['engine'],
  ['service'],
  ['config', 'serve-config', 'serve-config-reader'],
  ['telemetry'],
  ['compose'],
  ['http'],
  ['cli', 'index'],
]

const roomOf = (path: string) => (path.split('/')[0] as string).replace(/\.ts$/, '')
const rankOf = (path: string) => groups.findIndex((group) => group.includes(roomOf(path)))
const targetOf = (path: string, specifier: string) => posix.join(posix.dirname(path), specifier)

/** Imports point one way, rooms of one group do not know each other, and every file stands in a room that the plan names. */
export function importDirection(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, imports }) => {
    if (rankOf(path) < 0) return [`${path}: no room of that name stands in the plan`]
    return imports.flatMap(({ from, line }) => {
      if (!from.startsWith('.')) return []
      const target = targetOf(path, from)
      if (target.startsWith('..')) return [`${path}:${line} imports ${from}, which lies outside src/`]
      const allowed = roomOf(target) === roomOf(path) || (rankOf(target) >= 0 && rankOf(target) < rankOf(path))
      return allowed ? [] : [`${path}:${line} ${roomOf(path)} must not import ${roomOf(target)} (${target})`]
    })
  })
}

/** `domain/` imports nothing: no package, no builtin of Node, no other room. */
export function domainIsPure(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => roomOf(path) === 'domain')
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ from }) => !(from.startsWith('.') && roomOf(targetOf(path, from)) === 'domain'))
        .map(({ from, line }) => `${path}:${line} domain must not import ${from}`),
    )
}

/** No file reaches itself through its imports, types included. */
export function noImportCycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ from }) => from.startsWith('.')).map(({ from }) => targetOf(path, from)),
    ]),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path)
    if (seenAt >= 0) {
      cycles.push([...trail.slice(seenAt), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return cycles
}
