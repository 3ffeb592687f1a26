import type { Usage } from '../domain/usage.ts'
import type { Demand } from './demand.ts'

/** How large a request can be at the most; what it likely is, is learned from those of its group that were answered. */
export interface RequestSize {
  /** Requests that are alike: those of one job to one model. */
  readonly group: string
  /** No request of this many bytes has more input tokens. */
  readonly worstInputTokens: number
  readonly worstOutputTokens: number
}

/** What was learned of a group: tokens as they came against the worst that they could have been. Older answers count for less. */
interface Habit {
  input: number
  worstInput: number
  output: number
  answers: number
}

export interface Estimator {
  /** What a request likely takes, a little more rather than less. */
  estimate(size: RequestSize): Demand
  /** Learns from what an answered request took. */
  learn(size: RequestSize, usage: Pick<Usage, 'inputTokens' | 'outputTokens'>): void
}

/** Before anything is known: four bytes to a token, and an answer of a short paragraph. */
const FIRST_INPUT_SHARE = 0.3
const FIRST_OUTPUT = 200
const MARGIN = 1.05
/** An answer counts for half after about so many more. */
const MEMORY = 64
/** Groups that were used longest ago are forgotten beyond this many. */
const MOST_GROUPS = 1_000

/** An estimator that has seen nothing. */
export function createEstimator(): Estimator {
  const habits = new Map<string, Habit>()
  return Object.freeze({
    estimate({ group, worstInputTokens, worstOutputTokens }: RequestSize) {
      const habit = habits.get(group)
      const share = habit === undefined ? FIRST_INPUT_SHARE : Math.min(1, (MARGIN * habit.input) / habit.worstInput)
      const output = habit === undefined ? FIRST_OUTPUT : (MARGIN * habit.output) / habit.answers
      return {
        requests: 1,
        inputTokens: Math.ceil(share * worstInputTokens),
        outputTokens: Math.ceil(Math.min(worstOutputTokens, output)),
      }
    },
    learn({ group, worstInputTokens }: RequestSize, usage: Pick<Usage, 'inputTokens' | 'outputTokens'>) {
      const habit = habits.get(group) ?? { input: 0, worstInput: 0, output: 0, answers: 0 }
      const keep = Math.min(1, 1 - Math.LN2 / MEMORY)
      habits.delete(group)
      habits.set(group, {
        input: habit.input * keep + usage.inputTokens,
        worstInput: habit.worstInput * keep + Math.max(1, worstInputTokens),
        output: habit.output * keep + usage.outputTokens,
        answers: habit.answers * keep + 1,
      })
      if (habits.size > MOST_GROUPS) habits.delete(habits.keys().next().value as string)
    },
  })
}
