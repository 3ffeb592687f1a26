import { expect, it } from 'vitest'
import { NOTHING } from '../../src/domain/budget.ts'
import { createPurse } from '../../src/limit/purse.ts'

const both = (n: number) => ({ nano: n, tokens: n })

it('reserves worst cases within its grant, and what was not used of them is free again', () => {
  const purse = createPurse()
  expect(purse.reserve(both(1))).toBe(false)
  purse.grant(both(100))
  expect([purse.reserve(both(60)), purse.reserve(both(60)), purse.inFlight]).toEqual([true, false, 1])
  purse.settle(both(60), { used: both(10), doubtful: NOTHING })
  expect(purse.free).toEqual(both(90))
  expect(purse.reserve(both(60))).toBe(true)
  purse.release(both(60))
  expect([purse.free, purse.inFlight]).toEqual([both(90), 0])
  purse.giveUp(both(80))
  expect(purse.free).toEqual(both(10))
  expect([purse.takeUsed(), purse.takeUsed()]).toEqual([both(10), NOTHING])
})

it('asks both of money and of tokens', () => {
  const purse = createPurse()
  purse.grant({ nano: 100, tokens: 10 })
  expect(purse.reserve({ nano: 50, tokens: 11 })).toBe(false)
  expect(purse.reserve({ nano: 101, tokens: 1 })).toBe(false)
  expect(purse.reserve({ nano: 100, tokens: 10 })).toBe(true)
})

it('keeps what was hung up on reserved, what is doubtful spent, and counts what began before there was a budget', () => {
  const purse = createPurse()
  purse.track(both(30))
  expect(purse.free).toEqual(both(-30))
  purse.grant(both(130))
  expect(purse.reserve(both(50))).toBe(true)
  purse.abandon()
  expect([purse.inFlight, purse.free]).toEqual([1, both(50)])
  purse.settle(both(30), { used: NOTHING, doubtful: both(30) })
  expect([purse.inFlight, purse.free, purse.reserved]).toEqual([0, both(50), both(50)])
  purse.void()
  expect(purse.free).toEqual(both(-50))
})
