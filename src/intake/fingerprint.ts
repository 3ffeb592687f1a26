import { hash } from 'node:crypto'
import { stringifyExact } from '../domain/exact-json.ts'
import type { Source } from './source.ts'

/**
 * A text that is the same as long as the input is: the hash of its files, as a job that reads them whole has it. Of a query it is the sum of the
 * hashes of its rows, since no query has to give them in the same order twice; it reads them all.
 */
export async function fingerprint(source: Source, signal: AbortSignal): Promise<string> {
  const ofFiles = await source.hash(signal)
  if (ofFiles !== null) return ofFiles
  let sum = 0n
  for await (const batch of source.read(null)) {
    signal.throwIfAborted()
    for (const item of batch.items) {
      const text = item.kind === 'row' ? stringifyExact([...item.values]) : item.message
      sum = BigInt.asUintN(256, sum + BigInt(`0x${hash('sha256', text, 'hex')}`))
    }
  }
  return hash('sha256', JSON.stringify([source.columns, sum.toString(16)]), 'hex')
}
