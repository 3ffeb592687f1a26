import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

/** The last lines of a command's stdout, parsed, of one type. */
function lines(stdout: string, type: string): readonly Record<string, unknown>[] {
  const all = stdout.split('\n').filter((line) => line.startsWith('{'))
  return all.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line.type === type)
}

const chunks = 'execution: { chunk_rows: 20, cache: off, concurrency: { max: 64 } }\n'

async function submitted(rows: number, latency: string, execution = chunks) {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', latency)
  await folder.write('tickets.csv', tickets(rows))
  await folder.write('spec.yaml', ticketSpec(simulated.url, execution))
  const detached = await folder.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  return { folder, simulated, detached }
}

async function fleet(folder: JobFolder) {
  const { code, stdout, stderr } = await folder.run('status', '--fleet')
  expect(code, stderr).toBe(0)
  return {
    members: lines(stdout, 'member'),
    chunks: lines(stdout, 'held_chunk'),
    queue: lines(stdout, 'queue')[0],
  }
}

/** What a fleet has one holder of at a time: janitor, reconciler, batcher, notifier, watcher, openai. */
const ROLES = 6

const rolesOf = (members: readonly Record<string, unknown>[]) =>
  members.flatMap((member) => (member.roles as string[]).map((role) => [role, member.pid] as const))

it('a detached job is worked on by all who are there; each row is sent once, and they leave when all is done', async () => {
  const { folder, simulated, detached } = await submitted(600, '100ms')
  expect(summaryOf(detached.stdout)).toMatchObject({ state: 'queued', rows: { total: 600, succeeded: 0 } })
  expect(detached.stderr).toContain('No worker is about')
  expect(simulated.requests()).toEqual([])

  const workers = [1, 2].map(() => folder.start('worker', '--until-idle', '--concurrency', '20', '--chunks', '3'))
  await until(async () => {
    const { members, chunks: held } = await fleet(folder)
    const owners = new Set(held.map((chunk) => chunk.worker))
    return owners.size === 2 && members.length === 2 && rolesOf(members).length === ROLES
  }, 'both hold chunks, and the roles are taken')
  for (const worker of workers) expect(await worker.ended, worker.stderr()).toBe(0)
  expect(simulated.requests()).toHaveLength(600)
  const results = await folder.results()
  expect(results.filter((row) => row._status === 'ok')).toHaveLength(600)
  expect(await folder.query('select chunk_no from chunks where epoch > 1')).toEqual([])
  expect((await fleet(folder)).members).toEqual([])
})

it('a worker that is told to leave gives back what it cannot finish in time, and a second one takes it up', async () => {
  const { folder } = await submitted(40, '30s')
  const health = join(folder.dir, 'health')
  const worker = folder.start('worker', '--drain', '500ms', '--health-file', health)
  await until(async () => (await folder.count("attempts where state = 'open'")) >= 4, 'rows are in flight')
  const first = statSync(health).mtimeMs
  await until(() => statSync(health).mtimeMs > first, 'the health file is touched')
  const told = performance.now()
  worker.child.kill('SIGTERM')
  expect(await worker.ended, worker.stderr()).toBe(0)
  // Half a second for the rows, two for the farewell, and the time that a process takes on a busy machine.
  expect(performance.now() - told).toBeLessThan(10_000)
  expect(existsSync(health)).toBe(false)
  expect(await folder.query("select chunk_no from chunks where state = 'leased'")).toEqual([])
  const { members, queue } = await fleet(folder)
  expect(members).toEqual([])
  expect(queue).toMatchObject({ ready: 2, leased: 0 })
})

it('signals and `set --worker` change the concurrency of a worker while it works', async () => {
  const { folder } = await submitted(3_000, '200ms')
  const worker = folder.start('worker', '--concurrency', '40')
  const inFlight = () => folder.count("attempts where state = 'open'")
  await until(async () => (await inFlight()) > 20, 'it is at work')
  for (const [signal, note] of [
    ['SIGTTOU', '40 -> 32'],
    ['SIGTTOU', '32 -> 25'],
    ['SIGTTIN', '25 -> 30'],
  ] as const) {
    worker.child.kill(signal)
    await until(() => worker.stderr().includes(`concurrency ${note}`), `${signal}: ${note}`)
    // Said by the worker's own status, from which the next signal starts.
    await until(
      () => lines(worker.stdout(), 'worker').at(-1)?.concurrency === Number(note.split(' ').at(-1)),
      'it is in force',
    )
  }
  const [member] = (await fleet(folder)).members
  const set = await folder.run('set', '--worker', String(member?.worker), '--concurrency', '3')
  expect(set.code, set.stderr).toBe(0)
  await until(() => worker.stderr().includes('concurrency is 3 now'), 'it has heard')
  await until(async () => (await inFlight()) <= 3, 'the rows that were under way have ended')
  for (let look = 0; look < 20; look += 1) expect(await inFlight()).toBeLessThanOrEqual(3)
  worker.child.kill('SIGTERM')
  expect(await worker.ended, worker.stderr()).toBe(0)
})

it('what a killed worker held, and what it did for all, goes to another; a wish of nobody’s is fulfilled', async () => {
  const { folder } = await submitted(400, '30s')
  const first = folder.start('worker', '--chunks', '20')
  const roles = async () => rolesOf((await fleet(folder)).members.filter((member) => member.gone !== true))
  await until(async () => (await roles()).length === ROLES, 'the first has the roles')
  await until(async () => (await folder.count("attempts where state = 'open'")) >= 4, 'it has rows in flight')
  const second = folder.start('worker', '--chunks', '20')
  await until(async () => (await fleet(folder)).members.length === 2, 'the second has joined')
  first.child.kill('SIGKILL')
  await first.ended
  const killed = performance.now()
  await until(
    async () => {
      const held = (await roles()).filter(([, pid]) => pid === second.child.pid)
      return held.length === ROLES
    },
    'the second has the roles',
    30_000,
  )
  await until(
    async () => (await folder.count("attempts where state = 'lost'")) >= 4,
    'the chunks of the first were taken up',
    30_000,
  )
  expect(performance.now() - killed).toBeLessThan(25_000)

  second.child.kill('SIGKILL')
  await second.ended
  // Nobody is left; the wish is noted, and whoever comes next fulfils it.
  const cancelled = await folder.run('cancel')
  expect(cancelled.code, cancelled.stderr).toBe(0)
  const third = folder.start('worker', '--until-idle')
  expect(await third.ended, third.stderr()).toBe(0)
  const status = await folder.run('status')
  expect(summaryOf(status.stdout)).toMatchObject({ state: 'cancelled' })
}, 180_000)
