import type { StandardJSONSchemaV1 } from '@standard-schema/spec'
import type { SpecFile } from './schema.ts'

/** A block as a person may write it: what is optional may also be null. */
type Loose<T> = T extends readonly (infer Item)[]
  ? readonly Loose<Item>[]
  : T extends object
    ? { readonly [K in keyof T]: undefined extends T[K] ? Loose<T[K]> | null : Loose<T[K]> }
    : T

type OutputBlock = Loose<NonNullable<SpecFile['output']>>

/** A spec as a module exports it: the keys of the YAML file, where a schema may also be one of zod, ArkType, Valibot, … */
export type SpecInput = Omit<Loose<SpecFile>, 'output'> & {
  readonly output?:
    | OutputBlock
    | StandardJSONSchemaV1
    | (Omit<OutputBlock, 'schema'> & { readonly schema: StandardJSONSchemaV1 })
    | null
}

/**
 * A spec in TypeScript, to be the default export of a module: `sluice run tickets.spec.ts`. It has the keys of the YAML form, and gives the
 * same canonical JSON and hash. `output` may be any Standard Schema that gives JSON Schema; refinements and transforms are not carried over.
 */
export function defineSpec(spec: SpecInput): SpecInput {
  return Object.freeze(spec)
}
