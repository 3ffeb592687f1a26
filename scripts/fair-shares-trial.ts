import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runBesideBig, runFairShares } from '../test/scenario/fair-shares-trial.ts'
import { tellDataDir } from '../test/scenario/query-data-dir.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'
import { openTrialPlace } from '../test/scenario/trial-place.ts'

/**
 * `npm run trial:fair-shares -- [--store sqlite|postgres] [--workers 1] [--tenants 50] [--jobs 20] [--rows 40] [--chunk-rows 20] [--tpm 600000]
 * [--seconds 60] [--big-rows 1000000] [--only shares|beside]`: tenants that fight for one account's tokens a minute, some of double weight, some with
 * long prompts; prints what each had against its share, once all requests begun in that time have ended. Then ten rows beside a million rows of another
 * tenant. Exit 1 where a share is off by more than a tenth.
 */
const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    workers: { type: 'string', default: '1' },
    tenants: { type: 'string', default: '50' },
    jobs: { type: 'string', default: '20' },
    rows: { type: 'string', default: '40' },
    'chunk-rows': { type: 'string', default: '20' },
    tpm: { type: 'string', default: '600000' },
    seconds: { type: 'string', default: '60' },
    'big-rows': { type: 'string', default: '1000000' },
    only: { type: 'string' },
  },
})

const began = performance.now()
const log = (line: string) => console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`)

/** Where the state lies, and how what is in the queue changes hands. */
async function openPlace(dir: string) {
  await mkdir(dir, { recursive: true })
  const place = await openTrialPlace(values.store, dir)
  if (values.store === 'sqlite') {
    const tell = async (sql: string) => tellDataDir(join(dir, 'data'), sql)
    const giveMessages =
      'update messages set tenant_no = (select tenant_no from jobs where jobs.job_no = messages.job_no)'
    return { ...place, tell, giveMessages }
  }
  log(`the state lies in ${place.env.SLUICE_DATABASE_URL}`)
  const tell = async (sql: string) => void (await place.query(sql))
  const giveMessages =
    'update sluice_queue.job_common m set group_id = j.tenant_no::text from jobs j where j.job_no::text = m.group_tier'
  return { ...place, tell, giveMessages }
}

const number = (name: Exclude<keyof typeof values, 'only' | 'store'>) => Number(values[name])
const dir = await mkdtemp(join(tmpdir(), 'sluice-fair-shares-'))
const provider = await startSimulatedProvider(['--latency', '200ms'], join(dir, 'requests.ndjson'))
try {
  const common = {
    providerUrl: provider.url,
    chunkRows: number('chunk-rows'),
    workers: number('workers'),
    tpm: number('tpm'),
    seconds: number('seconds'),
    log,
  }
  if (values.only !== 'beside') {
    const place = await openPlace(join(dir, 'shares'))
    const sizes = { tenants: number('tenants'), jobs: number('jobs'), rows: number('rows') }
    const figures = await runFairShares({ ...common, ...sizes, ...place, dir: join(dir, 'shares') })
    console.log(JSON.stringify(figures))
    if (figures.largestDeviation > 0.1) process.exitCode = 1
    await place.close()
  }
  if (values.only !== 'shares') {
    const place = await openPlace(join(dir, 'beside'))
    const figures = await runBesideBig({ ...common, ...place, bigRows: number('big-rows'), dir: join(dir, 'beside') })
    console.log(JSON.stringify(figures))
    await place.close()
  }
} finally {
  await provider.stop()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}
