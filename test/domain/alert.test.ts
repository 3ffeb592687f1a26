import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ALERTS_BY_DEFAULT, type AlertsSeen, alertsIn } from '../../src/domain/alert.ts'

const seen = (more: Partial<AlertsSeen> = {}): AlertsSeen => ({
  counters: { succeeded: 100, failed: 0, retried: 0 },
  runningMs: 1_000,
  projectedNano: null,
  plannedNano: null,
  ...more,
})
const rules = (more: Partial<AlertsSeen>, alerts = ALERTS_BY_DEFAULT) =>
  alertsIn(alerts, seen(more)).map(({ rule }) => rule)

it('too many failed rows are told of, once a hundred have ended', () => {
  expect(alertsIn(ALERTS_BY_DEFAULT, seen({ counters: { succeeded: 94, failed: 6, retried: 0 } }))).toEqual([
    { rule: 'failed_over', value: 0.06, threshold: 0.05 },
  ])
  expect(rules({ counters: { succeeded: 95, failed: 5, retried: 0 } })).toEqual([])
  expect(rules({ counters: { succeeded: 0, failed: 99, retried: 0 } })).toEqual([])
})

it('retries are told of where somebody has said how many are too many', () => {
  const counters = { succeeded: 100, failed: 0, retried: 30 }
  expect(rules({ counters })).toEqual([])
  expect(rules({ counters }, { ...ALERTS_BY_DEFAULT, retriesOver: 0.2 })).toEqual(['retries_over'])
  expect(rules({ counters }, { ...ALERTS_BY_DEFAULT, retriesOver: 0.3 })).toEqual([])
})

it('a job is late by its deadline, or by a time of its own', () => {
  expect(rules({ runningMs: 6_001 })).toEqual([])
  expect(rules({ runningMs: 6_001, deadlineMs: 6_000 })).toEqual(['running_over'])
  expect(rules({ runningMs: 6_000, deadlineMs: 6_000 })).toEqual([])
  expect(rules({ runningMs: 6_001 }, { ...ALERTS_BY_DEFAULT, runningOver: 6_000 })).toEqual(['running_over'])
  expect(rules({ runningMs: 9, deadlineMs: 1 }, { ...ALERTS_BY_DEFAULT, runningOver: null })).toEqual([])
})

it('a job is too dear by its plan, where there is one', () => {
  expect(rules({ projectedNano: 130 })).toEqual([])
  expect(rules({ projectedNano: 130, plannedNano: 100 })).toEqual(['cost_over_plan'])
  expect(rules({ projectedNano: 120, plannedNano: 100 })).toEqual([])
  expect(rules({ projectedNano: 130, plannedNano: 0 })).toEqual([])
})

it('a rule that is broken is told with a value over its threshold', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  const rows = fc.nat(100_000)
  fc.assert(
    fc.property(share, share, rows, rows, rows, (failedOver, retriesOver, succeeded, failed, retried) => {
      const alerts = { ...ALERTS_BY_DEFAULT, failedOver, retriesOver }
      for (const { value, threshold } of alertsIn(alerts, seen({ counters: { succeeded, failed, retried } })))
        expect(value).toBeGreaterThan(threshold)
    }),
  )
})
