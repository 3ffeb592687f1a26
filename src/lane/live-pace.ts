/** How a job that is asked live stood at a moment. */
export interface PaceSample {
  readonly atMs: number
  /** Rows that have ended live, up to now. */
  readonly ended: number
  /** Rows that could be asked live: as long as there are none, its pace says nothing. */
  readonly waiting: number
}

/** What live requests achieve, as it shows while they are kept busy. */
export interface LivePace {
  note(sample: PaceSample): void
  /** What a row takes when many go at once, ms; `null`: too little has been seen. */
  msPerRow(): number | null
}

/** From so much on a pace is believed. */
const ENOUGH_MS = 20_000
const ENOUGH_ROWS = 50
/** Older samples say nothing of now. */
const WINDOW_MS = 5 * 60_000
/** The last requests are the slowest. */
const CAUTION = 1.15

/** Creates the measure of one job. */
export function createLivePace(): LivePace {
  let samples: PaceSample[] = []
  return Object.freeze({
    note(sample: PaceSample) {
      samples = sample.waiting === 0 ? [] : [...samples.filter(({ atMs }) => sample.atMs - atMs <= WINDOW_MS), sample]
    },
    msPerRow() {
      const [first, last] = [samples[0], samples[samples.length - 1]]
      if (first === undefined || last === undefined) return null
      const [ms, rows] = [last.atMs - first.atMs, last.ended - first.ended]
      return ms < ENOUGH_MS || rows < ENOUGH_ROWS ? null : (ms / rows) * CAUTION
    },
  })
}
