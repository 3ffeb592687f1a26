import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SluiceProcess, startSluice, until } from '../sluice-process.ts'
import { type Link, openLink } from './link.ts'

/** One worker of the trial: a process that is started anew whenever it has ended, its own link to the database, and its own clock. */
export interface ChaosWorker {
  readonly name: string
  readonly link: Link
  /** The process that runs now; `null` between two. */
  process(): SluiceProcess | null
  /** Whether it is stopped by SIGSTOP. */
  stopped: boolean
  /** Set at the end: it is not started again. */
  retired: boolean
  /** Sets its clock wrong by this much, of the present process and of later ones. */
  setClock(offsetMs: number): void
  start(): void
  /** Sends the signal; resolves when the process has ended. Does nothing where none runs. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | NodeJS.Signals | null>
}

/** What a process that has ended had said. */
export interface LastWords {
  readonly stderr: string
  /** It had found the database and was on the fleet's list. */
  readonly hadJoined: boolean
}

const CLOCK = new URL('./clock-jump.ts', import.meta.url).href

/** Makes a worker whose commands find the database behind its link. It is not started yet. */
export async function chaosWorker(options: {
  readonly name: string
  readonly dir: string
  readonly databasePort: number
  readonly env: (port: number, name: string) => Readonly<Record<string, string>>
  readonly concurrency: number
  /** Hears when a process has ended that was not asked to. */
  readonly onDeath: (name: string, code: number | NodeJS.Signals, last: LastWords) => void
}): Promise<ChaosWorker> {
  const { name, dir } = options
  const link = await openLink(options.databasePort)
  const clock = join(dir, `${name}.clock`)
  writeFileSync(clock, '0')
  const env = { ...options.env(link.port, name), CHAOS_CLOCK: clock, NODE_OPTIONS: `--import=${CLOCK}` }
  let process: SluiceProcess | null = null
  const worker: ChaosWorker = {
    name,
    link,
    process: () => process,
    stopped: false,
    retired: false,
    setClock: (offsetMs) => writeFileSync(clock, String(offsetMs)),
    start() {
      if (process !== null || worker.retired) return
      const started = startSluice(['worker', '--concurrency', String(options.concurrency)], { cwd: dir, env })
      process = started
      void started.ended.then((code) => {
        if (process !== started) return
        process = null
        const hadJoined = started.stdout().includes('"type":"worker"')
        options.onDeath(name, code, { stderr: started.stderr(), hadJoined })
      })
    },
    async end(signal) {
      const running = process
      if (running === null) return null
      process = null
      worker.stopped = false
      running.child.kill(signal)
      // A process that is stopped hears only SIGKILL before it is woken.
      if (signal !== 'SIGKILL') running.child.kill('SIGCONT')
      return await running.ended
    },
  }
  return worker
}

/** Resolves when every worker's process has ended. */
export async function endAll(workers: readonly ChaosWorker[]): Promise<void> {
  for (const worker of workers) worker.retired = true
  await Promise.all(workers.map((worker) => worker.end('SIGKILL')))
  await until(() => workers.every((worker) => worker.process() === null), 'every worker has ended')
  for (const worker of workers) await worker.link.close()
}
