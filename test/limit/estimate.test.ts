import { describe, expect, it } from 'vitest'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { createEstimator } from '../../src/limit/estimate.ts'

const size = { group: 'job', worstInputTokens: 4_000, worstOutputTokens: 500 }
const used = (inputTokens: number, outputTokens: number) => ({ ...NO_USAGE, inputTokens, outputTokens })

describe('what a request will likely take', () => {
  it('is a guess before anything is known, and never more output than was asked for', () => {
    const estimator = createEstimator()
    expect(estimator.estimate(size)).toEqual({ requests: 1, inputTokens: 1_200, outputTokens: 200 })
    expect(estimator.estimate({ ...size, worstOutputTokens: 10 }).outputTokens).toBe(10)
  })

  it('is learned from the answers of its group, in proportion to the prompt, with a margin', () => {
    const estimator = createEstimator()
    for (let n = 0; n < 50; n += 1) estimator.learn(size, used(800, 60))
    expect(estimator.estimate(size)).toEqual({ requests: 1, inputTokens: 840, outputTokens: 63 })
    expect(estimator.estimate({ ...size, worstInputTokens: 400 }).inputTokens).toBe(84)
    expect(estimator.estimate({ ...size, group: 'another' }).inputTokens).toBe(1_200)
  })

  it('follows rows that become longer', () => {
    const estimator = createEstimator()
    for (let n = 0; n < 500; n += 1) estimator.learn(size, used(800, 60))
    for (let n = 0; n < 300; n += 1) estimator.learn(size, used(1_600, 200))
    expect(estimator.estimate(size).outputTokens).toBeGreaterThan(195)
    expect(estimator.estimate(size).inputTokens).toBeGreaterThan(1_600)
  })

  it('is above the mean of unequal answers, and below the largest', () => {
    const estimator = createEstimator()
    for (let n = 0; n < 300; n += 1) estimator.learn(size, used(800, n % 10 === 0 ? 400 : 40))
    const { outputTokens } = estimator.estimate(size)
    expect(outputTokens).toBeGreaterThan(60)
    expect(outputTokens).toBeLessThan(150)
  })
})
