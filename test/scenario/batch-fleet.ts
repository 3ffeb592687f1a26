import { setTimeout as sleep } from 'node:timers/promises'
import { WORKER_SETTING } from './batch-fleet-changes.ts'
import { type SluiceProcess, startSluice, until } from './sluice-process.ts'

/** Worker processes on one database; whoever is killed is replaced by a new one. */
export interface BatchFleet {
  /** Pids of those that live, the oldest first. */
  pids(): readonly number[]
  /** The process that has, or had, this name in its sessions' settings. */
  pidOf(name: string): number | undefined
  kill(pid: number): Promise<void>
  /** Stops it for a while, as a machine that swaps does; it goes on as if nothing had been. Resolves at once. */
  freeze(pid: number, forMs: number): void
  /** What the workers said that ended though nobody had asked them to. */
  readonly deaths: readonly string[]
  /** Tells all to leave; resolves when they have. */
  leave(): Promise<void>
  /** Ends whatever still runs. */
  end(): Promise<void>
}

/** Starts so many workers. `env` names the database. */
export function startBatchFleet(
  count: number,
  { dir, env }: { readonly dir: string; readonly env: Readonly<Record<string, string>> },
): BatchFleet {
  const living = new Map<number, SluiceProcess>()
  const names = new Map<string, number>()
  const frozen = new Set<number>()
  const deaths: string[] = []
  let told = false

  const start = () => {
    const name = `worker-${names.size + 1}`
    const url = new URL(env.SLUICE_DATABASE_URL ?? '')
    url.searchParams.set('options', `-c ${WORKER_SETTING}=${name}`)
    const args = ['worker', '--chunks', '3', '--drain', '2s']
    const worker = startSluice(args, { cwd: dir, env: { ...env, SLUICE_DATABASE_URL: url.href } })
    const pid = worker.child.pid ?? 0
    names.set(name, pid)
    living.set(pid, worker)
    void worker.ended.then((code) => {
      if (living.delete(pid) && !(told && code === 0)) deaths.push(`${name}: ${code}: ${worker.stderr()}`)
    })
  }
  const end = async (pid: number) => {
    const worker = living.get(pid)
    living.delete(pid)
    worker?.child.kill('SIGKILL')
    await worker?.ended
  }
  for (let n = 0; n < count; n += 1) start()
  return Object.freeze({
    pids: () => [...living.keys()].filter((pid) => !frozen.has(pid)),
    pidOf: (name: string) => names.get(name),
    async kill(pid: number) {
      await end(pid)
      start()
    },
    freeze(pid: number, forMs: number) {
      frozen.add(pid)
      living.get(pid)?.child.kill('SIGSTOP')
      void sleep(forMs).then(() => {
        frozen.delete(pid)
        living.get(pid)?.child.kill('SIGCONT')
      })
    },
    deaths,
    async leave() {
      await until(() => frozen.size === 0, 'all are awake')
      told = true
      for (const { child } of living.values()) child.kill('SIGTERM')
      await until(() => living.size === 0, 'all have left')
    },
    async end() {
      await Promise.all([...living.keys()].map(end))
    },
  })
}
