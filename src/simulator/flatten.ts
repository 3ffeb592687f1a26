import { type Draw, pick } from './draw.ts'
import { merge } from './merge.ts'
import { boundsInWords } from './said-bounds.ts'
import {
  isRecord,
  isSchema,
  numberOf,
  type Schema,
  type SchemaObject,
  schemasOf,
  typesOf,
  Unanswerable,
} from './schema.ts'

/** Finds the schema that a `$ref` names, within its document. */
export type Refs = (ref: string) => Schema

const MAX_HOPS = 50
/** Keywords that cannot be followed forward: a schema with one of them is refused, as strict providers do. */
const REFUSED = new Set([
  'not',
  'if',
  'contains',
  'dependencies',
  'dependentRequired',
  'dependentSchemas',
  'patternProperties',
  'propertyNames',
  '$dynamicRef',
  '$recursiveRef',
])
const COMBINING = new Set(['$ref', 'allOf', 'anyOf', 'oneOf'])

export function refsOf(root: Schema): Refs {
  return (ref) => {
    if (!ref.startsWith('#')) throw new Unanswerable(`$ref ${ref} points outside of the schema`)
    let found: unknown = root
    for (const part of ref.slice(1).split('/').slice(1)) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
      found = isRecord(found) || Array.isArray(found) ? (found as Record<string, unknown>)[key] : undefined
    }
    if (!isSchema(found)) throw new Unanswerable(`$ref ${ref} points at nothing`)
    return found
  }
}

/**
 * The schema as one flat set of keywords: references followed, `allOf` joined, one branch of each choice taken by the draw
 * (null seldom; `sparing`: the branch that ends soonest). What its description says of bounds counts as if it were a
 * keyword: adapters write them there for providers whose strict mode has no such keywords.
 */
export function flatten(schema: Schema, refs: Refs, draw: Draw, sparing: boolean, hops = 0): SchemaObject {
  if (schema === false) throw new Unanswerable('nothing is allowed here')
  if (schema === true) return {}
  if (hops > MAX_HOPS) throw new Unanswerable('its references run in a circle')
  if (!needsJoining(schema)) return boundsInWords(schema)
  const step = (inner: Schema) => flatten(inner, refs, draw, sparing, hops + 1)
  let flat: SchemaObject = boundsInWords(plain(schema))
  if (typeof schema.$ref === 'string') flat = merge(flat, step(refs(schema.$ref)))
  for (const part of schemasOf(schema, 'allOf')) flat = merge(flat, step(part))
  for (const choice of ['anyOf', 'oneOf']) {
    const branches = schemasOf(schema, choice)
    if (branches.length > 0) flat = firstThatFits(flat, inOrder(branches, refs, draw, sparing), step)
  }
  return flat
}

/** Whether the schema has keywords that bring in others. Throws for those that cannot be followed. */
function needsJoining(schema: SchemaObject): boolean {
  let joins = false
  for (const keyword in schema) {
    if (REFUSED.has(keyword)) throw new Unanswerable(`'${keyword}' is not supported`)
    joins ||= COMBINING.has(keyword)
  }
  return joins
}

function plain(schema: SchemaObject): SchemaObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !COMBINING.has(keyword)))
}

function firstThatFits(
  flat: SchemaObject,
  branches: readonly Schema[],
  step: (s: Schema) => SchemaObject,
): SchemaObject {
  let reason = new Unanswerable('it has no branches')
  for (const branch of branches) {
    try {
      return merge(flat, step(branch))
    } catch (error) {
      if (!(error instanceof Unanswerable)) throw error
      reason = error
    }
  }
  throw reason
}

/** Where null is one branch among others, this often it is taken. */
const NULL_SHARE = 0.1

function inOrder(branches: readonly Schema[], refs: Refs, draw: Draw, sparing: boolean): readonly Schema[] {
  if (sparing) return branches.toSorted((a, b) => weight(a, refs) - weight(b, refs))
  const nulls = branches.filter(isNull)
  const others = branches.filter((branch) => !isNull(branch))
  if (others.length === 0 || (nulls.length > 0 && draw() < NULL_SHARE)) return [...nulls, ...others]
  const first = pick(draw, others)
  return [first, ...others.filter((branch) => branch !== first), ...nulls]
}

function isNull(schema: Schema): boolean {
  return isRecord(schema) && (schema.type === 'null' || schema.const === null)
}

/** How much a branch may lead to: none for a value, more for lists and objects, most for what is not known. */
function weight(schema: Schema, refs: Refs): number {
  const target = isRecord(schema) && typeof schema.$ref === 'string' ? refs(schema.$ref) : schema
  if (!isRecord(target)) return 2
  if ('const' in target || 'enum' in target) return 0
  const types = typesOf(target)
  if (types === null) return 4
  if (types.includes('array') && numberOf(target, 'minItems', 0) === 0) return 1
  if (types.includes('object')) return Array.isArray(target.required) ? 2 + target.required.length : 1
  return types.includes('array') ? 5 : 0
}
