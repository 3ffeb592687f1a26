/** What a plan expects of a figure: the middle, and bounds; where the basis is a sample, one in a hundred lies above, and one below. */
export interface Range {
  readonly low: number
  readonly expected: number
  readonly high: number
}
