import type { Node } from 'oxc-parser'
import type { Import, Source } from './source.ts'

/** Something of the outside world: who may touch it, and how touching it looks. */
interface Reach {
  readonly allowed: (path: string) => boolean
  /** Member accesses as `object.property`; `object.*` for any property. */
  readonly members: readonly string[]
  /** Globals that are enough by their name alone. */
  readonly globals: readonly string[]
  readonly imports: (one: Import) => boolean
  /** What only the whole call shows; answers with how it reads. */
  readonly call?: (node: Node) => string | null
}

const only =
  (...paths: readonly string[]) =>
  (path: string) =>
    paths.includes(path)
const builtin = (from: string) => from.replace(/^node:/, '')

const clock: Reach = {
  allowed: only('runtime.ts'),
  members: [
    'Date.now',
    'performance.*',
    'process.hrtime',
    'process.uptime',
    'AbortSignal.timeout',
    'Temporal.Now',
    'Atomics.wait',
  ],
  globals: ['setTimeout', 'setInterval'],
  imports: ({ from, names }) =>
    builtin(from) === 'perf_hooks' ||
    (/^timers(\/promises)?$/.test(builtin(from)) && names.some((name) => name !== 'setImmediate')),
  call: bareDate,
}

const randomness: Reach = {
  allowed: only('runtime.ts'),
  members: ['Math.random', 'crypto.randomUUID', 'crypto.getRandomValues', 'crypto.random*'],
  globals: [],
  imports: ({ from, names }) =>
    builtin(from) === 'crypto' && names.some((name) => /^(\*|random|getRandom|webcrypto)/.test(name)),
}

const environment: Reach = {
  allowed: only('config.ts'),
  members: ['process.env', 'process.loadEnvFile'],
  globals: [],
  imports: ({ from, names }) => builtin(from) === 'process' && names.some((name) => name === 'env'),
}

const socketModules = new Set(['undici', 'ws', 'net', 'tls', 'dgram', 'dns', 'dns/promises', 'http', 'https', 'http2'])

const sockets: Reach = {
  allowed: (path) =>
    /^(provider\/transport|simulator\/server[^/]*|notify\/(post|public-address)|spec\/public-address)\.ts$/.test(path),
  members: [],
  globals: ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'],
  imports: ({ from }) => socketModules.has(builtin(from)),
}

/** Only `runtime.ts` knows what time it is and can wait. */
export const noClock = (sources: readonly Source[]): string[] => violations(sources, clock, 'the clock')

/** Only `runtime.ts` throws dice and makes ids. */
export const noRandomness = (sources: readonly Source[]): string[] => violations(sources, randomness, 'randomness')

/** Only `config.ts` reads the environment. */
export const noEnvironment = (sources: readonly Source[]): string[] =>
  violations(sources, environment, 'the environment')

/** Only the transport, the simulator's server and what posts notices open sockets; types of a socket library may be named anywhere. */
export const noSockets = (sources: readonly Source[]): string[] => violations(sources, sockets, 'a socket')

function violations(sources: readonly Source[], reach: Reach, what: string): string[] {
  return sources
    .filter(({ path }) => !reach.allowed(path))
    .flatMap((source) => {
      const found = source.imports
        .filter((one) => !one.typeOnly && reach.imports(one))
        .map(({ from, line }) => `${source.path}:${line} reaches for ${what}: ${from}`)
      const own = ownNames(source)
      source.walk((node, parent, line) => {
        const touched = touchedBy(node, parent, reach, own)
        if (touched) found.push(`${source.path}:${line} reaches for ${what}: ${touched}`)
      })
      return found
    })
}

function touchedBy(node: Node, parent: Node | null, reach: Reach, own: ReadonlySet<string>): string | null {
  if (node.type === 'MemberExpression') return memberTouched(node, reach)
  if (node.type === 'VariableDeclarator') return destructuringTouched(node, reach)
  if (node.type === 'NewExpression' || node.type === 'CallExpression') return reach.call?.(node) ?? null
  if (node.type !== 'Identifier' || !reach.globals.includes(node.name)) return null
  return own.has(node.name) || !isReference(node, parent) ? null : node.name
}

function memberTouched(node: Node & { type: 'MemberExpression' }, reach: Reach): string | null {
  const property = propertyName(node)
  const object = lastName(node.object)
  if (property === null || object === null) return null
  const isGlobal = object === 'globalThis' && reach.globals.includes(property)
  return isGlobal || matches(reach.members, object, property) ? `${object}.${property}` : null
}

/** `const { env } = process` is `process.env` too. */
function destructuringTouched(node: Node & { type: 'VariableDeclarator' }, reach: Reach): string | null {
  if (node.id.type !== 'ObjectPattern' || !node.init) return null
  const object = lastName(node.init)
  for (const property of node.id.properties) {
    if (object === null || property.type !== 'Property' || property.key.type !== 'Identifier') continue
    if (matches(reach.members, object, property.key.name)) return `${object}.${property.key.name}`
  }
  return null
}

/** `new Date()` and `Date()` read the clock; `new Date(at)` does not. */
function bareDate(node: Node): string | null {
  if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return null
  if (lastName(node.callee) !== 'Date') return null
  if (node.type === 'CallExpression') return node.callee.type === 'Identifier' ? 'Date()' : null
  return node.arguments.length === 0 ? 'new Date()' : null
}

function matches(members: readonly string[], object: string, property: string): boolean {
  return members.some((member) => {
    const [name, pattern] = member.split('.') as [string, string]
    return name === object && (pattern.endsWith('*') ? property.startsWith(pattern.slice(0, -1)) : pattern === property)
  })
}

/** The name of `x`, `globalThis.x` or `a.b.x`. */
function lastName(node: Node): string | null {
  if (node.type === 'Identifier') return node.name
  return node.type === 'MemberExpression' ? propertyName(node) : null
}

function propertyName(node: Node & { type: 'MemberExpression' }): string | null {
  if (!node.computed) return node.property.type === 'Identifier' ? node.property.name : null
  return node.property.type === 'Literal' ? String(node.property.value) : null
}

/** A name that is read, not the key of a property or the name of a member. */
function isReference(node: Node, parent: Node | null): boolean {
  if (parent === null || parent.type.startsWith('TS') || parent.type.startsWith('Import')) return false
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed
  if (parent.type === 'Property') return parent.value === node
  return parent.type !== 'MethodDefinition' && parent.type !== 'PropertyDefinition'
}

/** What the file declares itself: its own `fetch`, given as a parameter, is not the global one. */
function ownNames(source: Source): ReadonlySet<string> {
  const names = new Set<string>()
  const declare = (node: Node | null | undefined): void => {
    if (!node) return
    if (node.type === 'Identifier') names.add(node.name)
    else if (node.type === 'AssignmentPattern') declare(node.left)
    else if (node.type === 'ObjectPattern')
      for (const one of node.properties) declare(one.type === 'Property' ? one.value : one.argument)
    else if (node.type === 'ArrayPattern') for (const one of node.elements) declare(one)
  }
  source.walk((node) => {
    if (node.type === 'VariableDeclarator') declare(node.id)
    else if (node.type === 'FunctionDeclaration') declare(node.id)
    else if (node.type === 'ImportSpecifier') declare(node.local)
    if ('params' in node && Array.isArray(node.params)) for (const one of node.params) declare(one as Node)
  })
  return names
}
