import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, startCluster } from '../../postgres/cluster.ts'
import { startSimulatedProvider } from '../simulated-provider.ts'
import { until } from '../sluice-process.ts'
import { type SmallDisk, smallDisk } from '../small-disk.ts'
import { type ResultRow, seeded, type TwoLedgers } from '../two-ledgers.ts'
import { drawDisaster, type Scene } from './disasters.ts'
import { type ChaosWorker, chaosWorker, endAll } from './fleet.ts'
import { judge, type Records } from './records.ts'
import { type Stage, setStage } from './stage.ts'

/** What one trial is made of. */
export interface ChaosTrial {
  /** An empty folder. */
  readonly dir: string
  readonly seed: number
  /** How long disasters strike; then all is healed, and the jobs may end. */
  readonly durationMs: number
  readonly workers: number
  /** Rows of each job; a new one is submitted whenever fewer than two are under way. */
  readonly rows: number
  /** Rows in flight of each worker. */
  readonly concurrency: number
  readonly latencyMs: number
  /** Milliseconds from one disaster to the next, at the most. */
  readonly paceMs: number
  readonly log: (line: string) => void
}

/** What a trial found. */
export interface ChaosFigures extends TwoLedgers, Records {
  readonly seed: number
  readonly disasters: Readonly<Record<string, number>>
  /** Disasters that this machine does not allow. */
  readonly leftOut: readonly string[]
  readonly jobs: number
  readonly rows: number
  /** Attempts that stood open in the hands of a worker when it was struck. */
  readonly inFlight: number
  /**
   * Of the attempts booked as lost, those that nobody had noted. What a worker begins after its link has become slow, or while it drains, is not
   * noted, and its lease may run out all the same.
   */
  readonly lostUnstruck: number
  /** Worker processes that ended though nobody asked them to. */
  readonly deaths: readonly string[]
}

const PRICE = ['--price-input', '0.25', '--price-output', '2.00']

/** What a worker says that finds no database when it starts. */
const NO_DATABASE =
  /the database cannot be used: .*(connection|starting up|shutting down|recovery|No space left|ECONN)/i

/** Room for the database of the trial, so that it can be filled up. */
const DISK_MIB = 3_000

interface Playground {
  readonly cluster: Cluster
  readonly disk: SmallDisk | null
  readonly stage: Stage
  readonly workers: readonly ChaosWorker[]
}

/** Lets a fleet work on jobs while disasters strike it and its database, heals all, waits for the end, and compares all records. */
export async function runChaosTrial(trial: ChaosTrial): Promise<ChaosFigures> {
  await mkdir(trial.dir, { recursive: true })
  // The server runs as another user, who must find its files below.
  await chmod(trial.dir, 0o711)
  const disk = smallDisk(join(trial.dir, 'disk'), DISK_MIB)
  let cluster: Cluster | null = null
  try {
    cluster = await startCluster([], disk?.path)
    return await playOn(trial, cluster, disk)
  } finally {
    await cluster?.remove()
    disk?.unmount()
  }
}

async function playOn(trial: ChaosTrial, cluster: Cluster, disk: SmallDisk | null): Promise<ChaosFigures> {
  const latency = ['--latency', `${trial.latencyMs}ms`, '--latency-p99', `${trial.latencyMs * 4}ms`]
  const provider = await startSimulatedProvider([...latency, ...PRICE], join(trial.dir, 'requests.ndjson'))
  const workers: ChaosWorker[] = []
  const deaths: string[] = []
  const stage = await setStage({ ...trial, databaseUrl: cluster.url, providerUrl: provider.url })
  try {
    for (let n = 1; n <= trial.workers; n += 1) workers.push(await newWorker(trial, cluster, stage, deaths, n))
    const { disasters, inFlight } = await strike(trial, { cluster, disk, stage, workers })
    await finish({ stage, workers }, trial.log)
    const results: ResultRow[] = []
    for (const job of stage.jobs) results.push(...(await stage.results(job)))
    const judged = await judge(cluster.url, provider.requests(), results)
    return {
      ...judged,
      seed: trial.seed,
      disasters,
      leftOut: disk === null ? ['a full disk: this machine does not let us mount one of our own'] : [],
      jobs: stage.jobs.length,
      rows: stage.jobs.length * trial.rows,
      inFlight: inFlight.size,
      lostUnstruck: judged.lostIds.filter((id) => !inFlight.has(id)).length,
      deaths,
    }
  } finally {
    await endAll(workers)
    await stage.close()
    await provider.stop()
  }
}

async function newWorker(trial: ChaosTrial, cluster: Cluster, stage: Stage, deaths: string[], n: number) {
  const worker = await chaosWorker({
    name: `worker-${n}`,
    dir: trial.dir,
    databasePort: Number(new URL(cluster.url).port),
    env: stage.env,
    concurrency: trial.concurrency,
    onDeath(name, code, { stderr, hadJoined }) {
      trial.log(`${name} ended by itself: ${code}\n${stderr}`)
      // One that finds no database when it starts says so and ends; whoever keeps the fleet running starts it again.
      if (!hadJoined && NO_DATABASE.test(stderr)) setTimeout(() => worker.start(), 1_000).unref()
      else deaths.push(`${name}: ${code}: ${stderr.trimEnd().split('\n').at(-1)}`)
    },
  })
  worker.start()
  return worker
}

/** Disasters by the dozen, several at a time, drawn from the seed. Meanwhile jobs are submitted. */
async function strike(trial: ChaosTrial, { cluster, disk, stage, workers }: Playground) {
  const random = seeded(trial.seed)
  const inFlight = new Set<string>()
  const disasters: Record<string, number> = {}
  const end = performance.now() + trial.durationMs
  let busy = false
  const scene: Scene = {
    random,
    workers,
    sleep,
    log: trial.log,
    async note(worker) {
      const pid = worker.process()?.child.pid
      if (pid !== undefined) for (const id of await patiently(() => stage.openOf(pid))) inFlight.add(id)
    },
    database: {
      async alone(work) {
        if (busy) return
        busy = true
        await work().finally(() => {
          busy = false
        })
      },
      async restart(mode, downMs) {
        await (mode === 'fast' ? cluster.stop() : cluster.crash())
        await sleep(downMs)
        await cluster.start()
      },
      fillDisk: disk === null ? null : (forMs) => fillUp({ cluster, disk, stage }, forMs),
    },
  }
  const underWay = new Set<Promise<void>>()
  const submitting = keepSubmitting(stage, () => performance.now() < end)
  while (performance.now() < end) {
    const disaster = drawDisaster(random)
    disasters[disaster.name] = (disasters[disaster.name] ?? 0) + 1
    const struck: Promise<void> = disaster.strike(scene).finally(() => underWay.delete(struck))
    underWay.add(struck)
    await sleep(random() * trial.paceMs)
  }
  await Promise.all(underWay)
  await submitting
  return { disasters, inFlight }
}

/** Fills the database's disk for a while. A server that could not write its log has taken itself down: then it is started again. */
async function fillUp(
  { cluster, disk, stage }: Pick<Playground, 'cluster' | 'stage'> & { readonly disk: SmallDisk },
  forMs: number,
): Promise<void> {
  disk.fill()
  await sleep(forMs)
  disk.clear()
  const answers = async () => (await stage.underWay()) !== null
  if (
    await until(answers, 'the database answers', 3_000).then(
      () => true,
      () => false,
    )
  )
    return
  await cluster.stop()
  await cluster.start()
}

/** Two jobs are under way at all times, so that one ends while the other runs. */
async function keepSubmitting(stage: Stage, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const underWay = await stage.underWay()
    if (underWay !== null && underWay < 2) await stage.submit()
    else await sleep(200)
  }
}

/** Asks again for as long as the database is down: a worker that is frozen or dead changes nothing meanwhile. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + 60_000; ; ) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(50)
    }
  }
}

/** All is well again; the jobs come to their end, and so do the workers. */
async function finish(
  { stage, workers }: Pick<Playground, 'stage' | 'workers'>,
  log: (line: string) => void,
): Promise<void> {
  for (const worker of workers) {
    worker.link.slow(0)
    worker.link.deafen(false)
    worker.setClock(0)
    worker.process()?.child.kill('SIGCONT')
    worker.start()
  }
  log('all is well again')
  await stage.allOver()
  log('every job is over')
  for (const worker of workers) worker.retired = true
  // A worker that was woken books what it had paid for; then it may go.
  await Promise.all(workers.map((worker) => worker.end('SIGTERM')))
  await until(() => workers.every((worker) => worker.process() === null), 'every worker has left')
}
