import { join } from 'node:path'
import { openFileBlob } from '../../src/blob/file.ts'
import { AS_SPECIFIED } from '../../src/domain/job.ts'
import { runIntake } from '../../src/intake/run-intake.ts'
import { sha256, systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { DEFAULT_TENANT } from '../../src/store/store.ts'
import { specOf } from './workplace.ts'

/**
 * One process that takes in the input of the job in the folder it is given, printing each commit. Behind the segment that it is told, it goes on
 * reading but commits no more: there it is to be killed.
 */
const [dir = '.', lastSegment, source = 'input.csv'] = process.argv.slice(2)
const runtime = systemRuntime()
const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, version: 'test' })
const { job } = await store.jobs.create({
  id: `job_${runtime.uuid()}`,
  tenantNo: DEFAULT_TENANT,
  specName: 'kill',
  specHash: sha256('kill'),
  trigger: 'cli',
  triggerRef: null,
  jobKey: 'the-job',
  settings: AS_SPECIFIED,
  submission: '{}',
  atMs: runtime.now(),
})
const blob = openFileBlob({ dir: join(dir, 'blobs') })
const result = await runIntake({
  spec: specOf({ source, key: 'id' }),
  baseDir: dir,
  env: (name) => process.env[name],
  selection: null,
  job,
  blob,
  chunks: {
    intakeProgress: (jobNo) => store.chunks.intakeProgress(jobNo),
    async appendSegment(segment) {
      await store.chunks.appendSegment(segment)
      process.stdout.write(`segment ${segment.segmentNo}\n`)
      if (String(segment.segmentNo) === lastSegment) await new Promise((resolve) => setTimeout(resolve, 600_000))
    },
  },
  runtime,
  signal: new AbortController().signal,
})
const chunks = await store.chunks.list(job.jobNo, 0, 100_000)
await store.close()
process.stdout.write(
  `${JSON.stringify({ ...result, chunks: chunks.map((chunk) => [chunk.firstRow, chunk.rows, chunk.sha256]) })}\n`,
)
