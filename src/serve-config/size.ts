/** A size as text: bytes, or with a unit of powers of ten. Source of the pattern in the schema. */
export const SIZE_PATTERN = '^\\d{1,15}(\\.\\d{1,3})?(B|kB|MB|GB)?$'

const BYTES = { B: 1, kB: 1_000, MB: 1_000_000, GB: 1_000_000_000 } as const

/** A size in whole bytes. `text` must match `SIZE_PATTERN`. */
export function sizeBytes(value: string | number): number {
  if (typeof value === 'number') return value
  const [, digits = '0', unit = 'B'] = /^([\d.]+)(B|kB|MB|GB)?$/.exec(value) ?? []
  return Math.round(Number(digits) * BYTES[unit as keyof typeof BYTES])
}
