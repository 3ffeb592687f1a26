import type { NanoUsd } from './money.ts'
import type { Range } from './range.ts'

/** How a request may go: `live` at once · `flex` live, for the price of a batch, when its provider has room for it · `batch` by a batch API. */
export type Way = (typeof WAYS)[number]

export const WAYS = Object.freeze(['live', 'flex', 'batch'] as const)

/** What the rows of a job would cost on one way, and how long they would take. */
export interface WayEstimate {
  readonly way: Way
  /** If all of them went this way; `null`: no price is known. */
  readonly costNano: Range | null
  /** `null`: nothing tells. */
  readonly ms: Range | null
  /** What `ms` rests on, for people. */
  readonly basis: string
  /** The share of the rows that is expected to end on this way before the deadline makes the rest go live, 0..1; 1 without a deadline. */
  readonly share: number
  /** What is expected of a job that begins this way, its late rows included; `null`: no price is known. */
  readonly expectedNano: NanoUsd | null
}

/** The way that `lane: auto` takes, and why. */
export interface Route {
  /** How rows go that are asked from now on. */
  readonly way: Way
  /** How they went at first. */
  readonly chosen: Way
  /** UTC; `null`: the job has all the time. */
  readonly deadlineAtMs: number | null
  /** One sentence, for people. */
  readonly why: string
  /** What was compared when it was chosen, cheapest first. */
  readonly ways: readonly WayEstimate[]
  /** How long a row takes live when many go at once, cautiously: ms of the whole job for one row. */
  readonly liveMsPerRow: number
  /** Changes of the way, oldest first. */
  readonly changes: readonly RouteChange[]
}

export interface RouteChange {
  readonly atMs: number
  readonly to: Way
  /** One sentence, for people. */
  readonly why: string
}

/** Why rows go the way that they go now. */
export function whyNow({ changes, why }: Pick<Route, 'changes' | 'why'>): string {
  return changes[changes.length - 1]?.why ?? why
}

/** The route with its way changed. */
export function rerouted(route: Route, change: RouteChange): Route {
  return { ...route, way: change.to, changes: [...route.changes, change] }
}
