import { hash } from 'node:crypto'

/** Uniform numbers in [0, 1), the same ones whenever it is made from the same names. */
export type Draw = () => number

/** A short name for a text: equal texts have equal names, here and in every other run. */
export function nameOf(text: string): string {
  return hash('sha256', text, 'hex')
}

/**
 * The numbers that belong to `names`: no clock and no order of arrival enters, so that two runs draw alike.
 * Streams with different names have nothing to do with each other: to switch one fault on changes no answer.
 */
export function drawOf(...names: readonly (string | number)[]): Draw {
  return mulberry32(names.reduce<number>((state, name) => fnv1a(`\u0000${name}`, state), FNV_BASIS))
}

/** For one text, a stream for each path into its answer. */
export function drawsOf(seed: number, text: string): (path: string) => Draw {
  const start = fnv1a(text, fnv1a(`${seed}\u0000`, FNV_BASIS))
  return (path) => mulberry32(fnv1a(`\u0000${path}`, start))
}

/** One of `items`, which must not be empty. */
export function pick<T>(draw: Draw, items: readonly T[]): T {
  return items[Math.floor(draw() * items.length)] as T
}

/** A whole number from `low` to `high`, both included. */
export function between(draw: Draw, low: number, high: number): number {
  return low + Math.floor(draw() * (high - low + 1))
}

const FNV_BASIS = 0x811c9dc5

function fnv1a(text: string, from: number): number {
  let state = from
  for (let at = 0; at < text.length; at += 1) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193)
  return state
}

/** 32 bits of state are plenty for the few numbers that one answer needs, and it costs nanoseconds. */
function mulberry32(from: number): Draw {
  let state = from ^ (from >>> 16)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
