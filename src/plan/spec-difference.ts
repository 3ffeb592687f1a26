import type { PaidAgainReason } from '../domain/plan.ts'
import type { Spec } from '../domain/spec.ts'

/** A part of two specs that is not the same, and the first place in it that differs. */
export interface SpecDifference {
  readonly reason: PaidAgainReason
  readonly place: string
}

/** What two versions of a spec ask differently, in the order in which it would be looked for: model, parameters, prompt, schema. */
export function requestDifferences(before: Spec, now: Spec): readonly SpecDifference[] {
  const parts: readonly { reason: PaidAgainReason; place: string; of: (spec: Spec) => unknown }[] = [
    { reason: 'model changed', place: 'model.id', of: ({ model }) => model.target.id },
    { reason: 'model changed', place: 'model.base_url', of: ({ model }) => model.target.baseUrl },
    { reason: 'parameters changed', place: 'model.params', of: ({ model }) => model.target.params },
    { reason: 'prompt changed', place: 'prompt.system', of: ({ prompt }) => prompt.system },
    { reason: 'prompt changed', place: 'prompt.user', of: ({ prompt }) => prompt.user },
    { reason: 'prompt changed', place: 'vars', of: ({ vars }) => vars },
    { reason: 'output schema changed', place: 'output', of: ({ output }) => output.schema },
  ]
  const found = new Map<PaidAgainReason, SpecDifference>()
  for (const { reason, place, of } of parts) {
    const where = firstDifference(of(before), of(now), place)
    if (where !== null && !found.has(reason)) found.set(reason, { reason, place: where })
  }
  return [...found.values()]
}

/** Whether two versions of a spec ask a row the same. */
export function asksTheSame(a: Spec, b: Spec): boolean {
  return requestDifferences(a, b).length === 0
}

/**
 * Where two values first differ, as a path into `place`; in texts of several lines, the line. `null`: nowhere. The order of keys is no difference, as
 * it is none to the hash of a request.
 */
function firstDifference(a: unknown, b: unknown, place: string): string | null {
  if (typeof a === 'string' && typeof b === 'string') return a === b ? null : placeInText(a, b, place)
  if (!isContainer(a) || !isContainer(b)) return Object.is(a, b) ? null : place
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  for (const key of keys) {
    const where = firstDifference(a[key], b[key], `${place}.${key}`)
    if (where !== null) return where
  }
  return null
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function placeInText(a: string, b: string, place: string): string {
  const [left, right] = [a.split('\n'), b.split('\n')]
  if (left.length === 1 && right.length === 1) return place
  const at = left.findIndex((line, index) => line !== right[index])
  return `${place}, line ${(at < 0 ? left.length : at) + 1}`
}
