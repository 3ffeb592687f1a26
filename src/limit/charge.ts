/**
 * How much of a provider's bucket one counted token really takes, learned from what it says is left: providers count differently (the output
 * asked for or the output given, cached tokens or not), and others may use the account. Pure; times are ms of any clock that does not go back.
 */
export interface Charge {
  readonly factor: number
  /** The last word of the provider that the next is compared with. */
  readonly anchor: Word | null
  readonly learned: boolean
}

/** What a provider said was left when it let a request in. */
export interface Word {
  /** When that request was sent. */
  readonly sentAtMs: number
  readonly remaining: number
  /** All that had been counted by then, that request with it. */
  readonly counted: number
}

export const UNLEARNED: Charge = Object.freeze({ factor: 1, anchor: null, learned: false })

/** Two words closer together than this say more about chance than about counting. */
const APART_MS = 4_000
const WEIGHT = 0.35
const LEAST = 0.05
const MOST = 20
/** From this share on a bucket may have been full: what it takes in then is lost, and nothing can be told but that less was taken. */
const FULL = 0.95
const WHEN_FULL = 0.85
const FALLING = 0.003

/** After another word; `rate` is the limit per ms, as it was between the two. */
export function learned(charge: Charge, word: Word, limit: number, rate: number): Charge {
  const { anchor } = charge
  if (anchor === null) return { ...charge, anchor: word }
  const passedMs = word.sentAtMs - anchor.sentAtMs
  const counted = word.counted - anchor.counted
  if (passedMs < APART_MS || counted <= 0) return charge
  const taken = anchor.remaining - word.remaining + rate * passedMs
  const seen = Math.max(LEAST, Math.min(MOST, taken / counted))
  if (Math.max(anchor.remaining, word.remaining) < limit * FULL) {
    const factor = charge.learned ? charge.factor + WEIGHT * (seen - charge.factor) : seen
    return { factor, anchor: word, learned: true }
  }
  // As full as before although as much was counted as it takes in: a token takes less than was thought.
  const isFalling = anchor.remaining - word.remaining > FALLING * limit
  const atFullPace = !isFalling && charge.factor * counted >= 0.9 * rate * passedMs
  return {
    ...charge,
    anchor: word,
    factor: atFullPace ? Math.max(LEAST, Math.min(seen, charge.factor * WHEN_FULL)) : charge.factor,
  }
}

/** With another limit, the words before say nothing about those that come. */
export function restarted(charge: Charge): Charge {
  return charge.anchor === null ? charge : { ...charge, anchor: null }
}
