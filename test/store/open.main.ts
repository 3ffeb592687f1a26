/** Opens the store at its argument, creates the job of a key that others create too, and says which job that is. */
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { newJob } from '../conformance/store-fixture.ts'

const runtime = systemRuntime()
const store = await openSqliteStore({ path: process.argv[2] ?? '', runtime })
const { job } = await store.jobs.create(newJob({ id: `job_${runtime.uuid()}`, jobKey: 'the one' }))
process.stdout.write(`${job.id}\n`)
await store.close()
