/**
 * A worker as small as can be: fetches chunks of one job, claims them, answers their rows and completes them, until none is left. Says
 * `took <chunk> <epoch>` and `done <chunk>`. Arguments: the back end's place, the directory of
 * the workers' locks, worker id, job, lease in ms. With `wait`, it stops after its first
 * claim, says `waits`, goes on at the next line of its input, and says what came of it.
 */
import { once } from 'node:events'
import { openPresence } from '../../src/queue/presence.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { outcomeOf, record } from '../conformance/store-fixture.ts'
import { openBackEnd } from './back-end.ts'

const [place = '', locks = '', workerId = '', job = '', leaseMs = '', wait] = process.argv.slice(2)
const jobNo = Number(job)
const say = (line: string) => process.stdout.write(`${line}\n`)
const runtime = systemRuntime()
const { store, queue } = await openBackEnd(place, Number(leaseMs))
const presence = await openPresence({ dir: locks })
await presence.register(workerId)

for (;;) {
  const [delivery] = await queue.fetch(workerId, 1, { jobNo })
  if (delivery === undefined || delivery.task.kind !== 'chunk') break
  const claimed = await store.chunks.claim(delivery.task, workerId, delivery.deliveries > 1, runtime.now())
  if (claimed === null) continue
  const { chunk } = claimed
  const held = { jobNo, chunkNo: chunk.chunkNo, epoch: chunk.epoch }
  say(`took ${chunk.chunkNo} ${chunk.epoch}`)
  if (wait === 'wait') {
    say('waits')
    await once(process.stdin, 'data')
    say(`renewed ${(await queue.extend([delivery])).length}`)
  }
  const ended = await store.rows.ended(jobNo, chunk.firstRow, chunk.rows)
  const pending = Array.from({ length: chunk.rows }, (_, n) => chunk.firstRow + n).filter((row) => !ended.has(row))
  const outcomes = pending.map((row) => outcomeOf(row, { message: workerId, requestHash: null }))
  const passed = await record(store, held, { outcomes })
  say(`passed ${passed.length}`)
  const completed = await store.write(async (tx) => {
    const result = await store.chunks.complete(tx, held, runtime.now())
    return `${result} ${result === 'stale' ? false : await queue.complete(tx, delivery)}`
  })
  say(`done ${chunk.chunkNo} ${completed}`)
  if (wait === 'wait') break
}
await store.close()
process.exit(0)
