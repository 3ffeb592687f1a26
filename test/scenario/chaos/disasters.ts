import type { ChaosWorker } from './fleet.ts'

/** What disasters may reach. */
export interface Scene {
  readonly random: () => number
  readonly workers: readonly ChaosWorker[]
  readonly database: {
    /** Nothing else happens to the database meanwhile; where something does already, nothing happens. */
    alone(work: () => Promise<void>): Promise<void>
    /** Stops the server, as kill -9 does (`immediate`) or in good order, and starts it again after `downMs`. */
    restart(mode: 'immediate' | 'fast', downMs: number): Promise<void>
    /** Fills the database's disk for a while; `null`: this machine lets us mount none of our own. */
    readonly fillDisk: ((forMs: number) => Promise<void>) | null
  }
  /** Notes what the worker has in flight, before somebody else takes it up. It must not be able to begin anything meanwhile. */
  readonly note: (worker: ChaosWorker) => Promise<void>
  readonly sleep: (ms: number) => Promise<void>
  readonly log: (line: string) => void
}

/** A disaster: how often it is drawn beside the others, and what it does. It returns when the worst is over. */
interface Disaster {
  readonly name: string
  readonly weight: number
  readonly strike: (scene: Scene) => Promise<void>
}

const between = (scene: Scene, min: number, max: number) => Math.round(min + scene.random() * (max - min))
const anyOf = <T>(scene: Scene, list: readonly T[]): T => list[Math.floor(scene.random() * list.length)] as T
const SECOND = 1_000
const HOUR = 3_600 * SECOND

/** A worker that runs and is not stopped; `null`: there is none. */
function victim(scene: Scene): ChaosWorker | null {
  const running = scene.workers.filter((worker) => worker.process() !== null && !worker.stopped)
  return running.length === 0 ? null : anyOf(scene, running)
}

async function kill(scene: Scene): Promise<void> {
  const worker = victim(scene)
  if (worker === null) return
  const downMs = between(scene, 0, 3 * SECOND)
  scene.log(`kill -9 ${worker.name}, started again after ${downMs} ms`)
  // Frozen first: what is noted then is exactly what was in flight.
  worker.process()?.child.kill('SIGSTOP')
  await scene.note(worker)
  await worker.end('SIGKILL')
  await scene.sleep(downMs)
  worker.start()
}

async function stop(scene: Scene): Promise<void> {
  const worker = victim(scene)
  if (worker === null) return
  const forMs = anyOf(scene, [between(scene, SECOND, 6 * SECOND), between(scene, 12 * SECOND, 25 * SECOND)])
  scene.log(`SIGSTOP ${worker.name} for ${forMs} ms`)
  worker.process()?.child.kill('SIGSTOP')
  worker.stopped = true
  await scene.note(worker)
  await scene.sleep(forMs)
  worker.stopped = false
  worker.process()?.child.kill('SIGCONT')
}

async function drain(scene: Scene): Promise<void> {
  const worker = victim(scene)
  if (worker === null) return
  scene.log(`SIGTERM ${worker.name}`)
  await scene.note(worker)
  await worker.end('SIGTERM')
  worker.start()
}

async function cut(scene: Scene): Promise<void> {
  const worker = anyOf(scene, scene.workers)
  scene.log(`the connections of ${worker.name} are cut`)
  worker.link.cut()
}

async function slow(scene: Scene): Promise<void> {
  const worker = anyOf(scene, scene.workers)
  const [delayMs, forMs] = [between(scene, 10, 150), between(scene, 4 * SECOND, 12 * SECOND)]
  scene.log(`the link of ${worker.name} is slow by ${delayMs} ms for ${forMs} ms`)
  worker.link.slow(delayMs)
  await scene.sleep(forMs)
  worker.link.slow(0)
}

async function deafen(scene: Scene): Promise<void> {
  const worker = anyOf(scene, scene.workers)
  const forMs = anyOf(scene, [between(scene, SECOND, 6 * SECOND), between(scene, 12 * SECOND, 22 * SECOND)])
  scene.log(`the link of ${worker.name} is dead for ${forMs} ms, and nobody is told`)
  worker.link.deafen(true)
  // What was under way in the server comes to its end first.
  await scene.sleep(300)
  await scene.note(worker)
  await scene.sleep(forMs)
  worker.link.deafen(false)
}

/** An outage that outlasts the leases may cost any worker its chunks: what each has in flight is noted while all of them are frozen. */
async function strikeAll(scene: Scene, strike: () => Promise<void>): Promise<void> {
  const running = scene.workers.filter((worker) => worker.process() !== null && !worker.stopped)
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const worker of running) if (!worker.stopped) worker.process()?.child.kill(name)
  }
  signal('SIGSTOP')
  for (const worker of scene.workers) await scene.note(worker)
  const over = strike()
  signal('SIGCONT')
  await over
}

async function restart(scene: Scene): Promise<void> {
  const mode = anyOf(scene, ['immediate', 'fast'] as const)
  const downMs = anyOf(scene, [0, between(scene, 0, 4 * SECOND), between(scene, 12 * SECOND, 18 * SECOND)])
  await scene.database.alone(async () => {
    scene.log(`the database is stopped (${mode}), and started again after ${downMs} ms`)
    await strikeAll(scene, () => scene.database.restart(mode, downMs))
  })
}

async function fillDisk(scene: Scene): Promise<void> {
  const { fillDisk: fill } = scene.database
  if (fill === null) return
  const forMs = between(scene, 3 * SECOND, 8 * SECOND)
  await scene.database.alone(async () => {
    scene.log(`the disk of the database is full for ${forMs} ms`)
    await strikeAll(scene, () => fill(forMs))
  })
}

async function jump(scene: Scene): Promise<void> {
  const worker = anyOf(scene, scene.workers)
  const offsetMs = anyOf(scene, [
    between(scene, -5 * SECOND, 5 * SECOND),
    between(scene, -2 * HOUR, 2 * HOUR),
    between(scene, -60 * 24 * HOUR, 60 * 24 * HOUR),
    0,
  ])
  scene.log(`the clock of ${worker.name} is wrong by ${offsetMs} ms`)
  worker.setClock(offsetMs)
}

/** All disasters of the trial. */
export const DISASTERS: readonly Disaster[] = [
  { name: 'kill', weight: 6, strike: kill },
  { name: 'stop', weight: 4, strike: stop },
  { name: 'drain', weight: 2, strike: drain },
  { name: 'cut', weight: 4, strike: cut },
  { name: 'slow', weight: 2, strike: slow },
  { name: 'deaf', weight: 3, strike: deafen },
  { name: 'restart', weight: 2, strike: restart },
  { name: 'disk', weight: 1, strike: fillDisk },
  { name: 'clock', weight: 3, strike: jump },
]

/** Draws one, as often as its weight says. */
export function drawDisaster(random: () => number): Disaster {
  const all = DISASTERS.reduce((sum, { weight }) => sum + weight, 0)
  let left = random() * all
  for (const disaster of DISASTERS) {
    left -= disaster.weight
    if (left < 0) return disaster
  }
  return DISASTERS[0] as Disaster
}
