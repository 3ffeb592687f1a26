import type { Spec } from '../domain/spec.ts'
import type { Finding } from '../errors.ts'
import type { Positions } from './positions.ts'

/** A spec that can be run. */
export interface LoadedSpec {
  readonly spec: Spec
  /** sha-256 of `canonicalJson`, in hex: the spec's version. */
  readonly hash: string
  readonly canonicalJson: string
  /** The folder that paths in the spec are relative to; absolute. */
  readonly baseDir: string
  /** What the user should know though nothing is wrong: findings of the severity `warning`. */
  readonly notes: readonly Finding[]
  readonly positions: Positions
}

/** A spec as far as it could be read: for `check`, which wants every error. */
export interface SpecReading {
  /** Errors and warnings in the spec itself; those that need the input or a provider are for `checkSpec`. */
  readonly findings: readonly Finding[]
  /** Complete only where `findings` has no error; else with blanks for what is missing or wrong. `null`: there is no spec to speak of. */
  readonly draft: Spec | null
  readonly positions: Positions
  readonly baseDir: string
  /** How many of the errors are for parts that are known but not built. */
  readonly notYetCount: number
}
