/** Commits groups of rows of one chunk, one after the other, and says `committed <group>` after each. Arguments: the database, the job, the rows per group. */
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { claim, factOf, intentOf, outcomeOf, record } from '../conformance/store-fixture.ts'

const [path = '', job = '', size = ''] = process.argv.slice(2)
const [jobNo, perGroup] = [Number(job), Number(size)]
const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 0 })
const chunk = await store.chunks.get({ jobNo, chunkNo: 0 })
if (chunk === null) throw new Error('no chunk')
const held = await claim(store, jobNo, 0, `process ${process.pid}`)
const ended = await store.rows.ended(jobNo, 0, chunk.rows)
for (let group = 0; group < chunk.rows / perGroup; group += 1) {
  const rows = Array.from({ length: perGroup }, (_, n) => group * perGroup + n)
  if (rows.every((row) => ended.has(row))) continue
  const intents = rows.map((row) => intentOf(held, row, { id: systemRuntime().uuid() }))
  await record(store, held, { intents })
  const outcomes = rows.map((row) => outcomeOf(row, { output: JSON.stringify(`${row} `.repeat(200)) }))
  const passed = await record(store, held, {
    facts: intents.map((intent) => factOf(intent)),
    outcomes,
    answerScope: 'spec:x',
  })
  if (passed.length > 0) throw new Error('fenced off')
  process.stdout.write(`committed ${group}\n`)
}
await store.close()
process.stdout.write('all\n')
