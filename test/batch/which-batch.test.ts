import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Candidate, whichBatch } from '../../src/batch/which-batch.ts'
import type { BatchSaid } from '../../src/domain/batch.ts'

const saidOf = (n: number, end: BatchSaid['end'] = null): BatchSaid => ({
  batchId: `batch_${n}`,
  phase: end === null ? 'running' : 'ended',
  end,
  total: 3,
  succeeded: null,
  failed: null,
  files: [],
  createdAtMs: n,
  expiresAtMs: null,
  failure: null,
  queueFull: false,
})

const proofs = fc.array(fc.constantFrom<Candidate['proof']>('ours', 'foreign', 'none'), { maxLength: 5 })
const evidence = fc.record({
  candidates: proofs.map((all) => all.map((proof, n): Candidate => ({ said: saidOf(n), proof }))),
  named: fc.boolean(),
  rivals: fc.integer({ min: 0, max: 2 }),
  settled: fc.boolean(),
})

describe('whichBatch', () => {
  it('never sends again what may be there, nor before everything has settled', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        const { candidates, named, settled } = given
        if (whichBatch(given).do !== 'resend') return
        expect(settled).toBe(true)
        const possible = candidates.filter(({ proof }) => proof === 'ours' || (proof === 'none' && !named))
        expect(possible).toEqual([])
      }),
    )
  })

  it('takes nothing that is proven foreign, and guesses only where there is one batch and one shard', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        const found = whichBatch(given)
        if (found.do !== 'adopt') return
        const taken = given.candidates.find(({ said }) => said === found.said)
        expect(taken?.proof).toBe(found.sure ? 'ours' : 'none')
        if (found.sure) return
        expect(given.candidates.filter(({ proof }) => proof === 'none')).toHaveLength(1)
        expect(given).toMatchObject({ named: false, rivals: 0, settled: true })
      }),
    )
  })

  it('waits for ever only where it is not settled', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        if (whichBatch(given).do === 'wait') expect(given.settled).toBe(false)
      }),
    )
  })

  it('prefers one that was worked on to one that failed, and the first of several', () => {
    const ours = (n: number, end: BatchSaid['end']): Candidate => ({ said: saidOf(n, end), proof: 'ours' })
    const found = whichBatch({
      candidates: [ours(3, null), ours(1, 'failed'), ours(2, 'completed')],
      named: true,
      rivals: 0,
      settled: false,
    })
    expect(found).toEqual({ do: 'adopt', said: saidOf(2, 'completed'), sure: true, strays: [saidOf(3)] })
  })
})
