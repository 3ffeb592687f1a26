/**
 * The first of `offered` (media types, best first) that an `Accept` header likes most (RFC 9110, 12.5.1); without a header the first. `null`: it takes
 * none of them.
 */
export function preferred<const T extends string>(accept: string | undefined, offered: readonly T[]): T | null {
  if (accept === undefined || accept.trim() === '') return offered[0] ?? null
  const ranges = accept.split(',').map(rangeOf)
  const liked = offered.map((type) => ({ type, weight: weightOf(type, ranges) })).filter(({ weight }) => weight > 0)
  return liked.sort((a, b) => b.weight - a.weight)[0]?.type ?? null
}

interface Range {
  readonly name: string
  readonly weight: number
}

function rangeOf(text: string): Range {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith('q='))
  const weight = q === undefined ? 1 : Number(q.slice(2))
  return { name, weight: Number.isFinite(weight) ? weight : 0 }
}

/** By the range that says most about the type. */
function weightOf(type: string, ranges: readonly Range[]): number {
  for (const name of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const range = ranges.find((each) => each.name === name)
    if (range !== undefined) return range.weight
  }
  return 0
}
