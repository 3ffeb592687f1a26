import { describe, expect, it } from 'vitest'
import { createTurns } from '../../src/http/turns.ts'

describe('turns', () => {
  it('let go on so many in each turn of the event loop, in their order, and others between', async () => {
    const turn = createTurns(2)
    const happened: string[] = []
    const work = async (name: string) => {
      for (let n = 1; n <= 2; n += 1) {
        await turn()
        happened.push(`${name}${n}`)
      }
    }
    const all = Promise.all(['a', 'b', 'c'].map(work))
    let isOver = false
    const others = (async () => {
      while (!isOver) {
        await new Promise((resolve) => setImmediate(resolve))
        happened.push('-')
      }
    })()
    await all
    isOver = true
    await others
    const turns = happened.join('').split('-').filter(Boolean)
    expect(turns.join('')).toBe('a1b1c1a2b2c2')
    expect(turns.every((each) => each.length <= 4)).toBe(true)
    expect(turns).toHaveLength(3)
  })
})
