import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import type { AnyWork, WorkAnyOptions, WorkerStatus } from '../../src/engine.ts'
import { aFinished, aFleet, aJob, aStatus, aWorker, CREATED_MS, JOB_ID, WORKER_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

/** A worker that does what a test says, until it is told to leave. */
function scriptedWorker(script: (options: WorkAnyOptions) => void = () => undefined) {
  const set: (number | null)[] = []
  let seen: WorkAnyOptions | null = null
  const workAny = async (options: WorkAnyOptions): Promise<AnyWork> => {
    seen = options
    script(options)
    const done = new Promise<WorkerStatus>((resolve) => {
      const left = () => resolve(aWorker({ phase: 'stopping', chunks: 0, inFlight: 0, roles: [] }))
      options.signal.addEventListener('abort', left)
      if (options.untilIdle === true) left()
    })
    return { workerId: WORKER_ID, done, setConcurrency: (rows) => void set.push(rows) }
  }
  return { workAny, set, options: () => seen }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0))

describe('sluice worker', () => {
  it('works with what its flags say, and leaves with 0 when it is told to', async () => {
    const worker = scriptedWorker((options) => options.onStatus?.(aWorker()))
    const { run, signal, events, err, listening } = cli({ workAny: worker.workAny })
    const running = run('worker', '--chunks', '3', '--concurrency', '64', '--drain', '30s')
    await turn()
    expect(worker.options()).toMatchObject({ chunks: 3, concurrency: 64, drainMs: 30_000, untilIdle: false })
    signal('SIGTERM')
    expect(await running).toBe(0)
    expect(events().map(({ type, phase }) => [type, phase])).toEqual([
      ['version', undefined],
      ['worker', 'working'],
      ['worker', 'left'],
    ])
    expect(events()[1]).toMatchObject({
      worker: WORKER_ID,
      chunks: { max: 5, held: 5 },
      in_flight: 48,
      rows_per_s: 123,
    })
    expect(err()).toContain(
      'working   2 jobs   5/5 chunks   48 in flight (64 at most)   123 rows/s   12,345 rows   janitor',
    )
    expect(err()).toContain('stopping: rows in flight finish')
    expect(listening()).toBe(0)
  })

  it('is hurried by a second signal, and then exits as it says', async () => {
    const worker = scriptedWorker()
    const stuck = async (options: WorkAnyOptions) => ({
      ...(await worker.workAny(options)),
      done: new Promise<WorkerStatus>((resolve) => options.abandon.addEventListener('abort', () => resolve(aWorker()))),
    })
    const { run, signal } = cli({ workAny: stuck })
    const running = run('worker')
    await turn()
    signal('SIGTERM')
    signal('SIGTERM')
    expect(await running).toBe(143)
  })

  it('says nothing twice while it waits, and something each ten seconds while it works', async () => {
    const worker = scriptedWorker()
    const { run, signal, events, runtime } = cli({ workAny: worker.workAny })
    const running = run('worker')
    await turn()
    const show = (status: WorkerStatus) => worker.options()?.onStatus?.(status)
    const idle = aWorker({ phase: 'idle', jobs: 0, chunks: 0, inFlight: 0, rowsPerSecond: 0 })
    show(idle)
    runtime.advance(60_000)
    show(idle)
    show(aWorker())
    runtime.advance(5_000)
    show(aWorker())
    runtime.advance(5_000)
    show(aWorker())
    signal('SIGINT')
    await running
    const phases = events().flatMap(({ type, phase }) => (type === 'worker' ? [phase] : []))
    expect(phases).toEqual(['idle', 'working', 'working', 'left'])
  })

  it.each([
    ['less', 64, 51],
    ['more', 64, 77],
    ['more', 1, 2],
    ['less', 1, 1],
  ] as const)('%s than %i rows is %i, by signal', async (change, from, to) => {
    const worker = scriptedWorker((options) => options.onStatus?.(aWorker({ concurrency: from })))
    const { run, signal, load, err } = cli({ workAny: worker.workAny })
    const running = run('worker')
    await turn()
    load(change)
    expect(worker.set).toEqual([to])
    expect(err()).toContain(`concurrency ${from} -> ${to}`)
    signal('SIGTERM')
    await running
  })

  it('without a bound starts from what is in flight, and cannot be given more', async () => {
    const worker = scriptedWorker((options) => options.onStatus?.(aWorker({ concurrency: null, inFlight: 50 })))
    const { run, signal, load, err } = cli({ workAny: worker.workAny })
    const running = run('worker')
    await turn()
    load('more')
    expect(worker.set).toEqual([])
    expect(err()).toContain('no bound of its own')
    load('less')
    expect(worker.set).toEqual([40])
    signal('SIGTERM')
    await running
  })

  it('keeps a health file for as long as it is there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-health-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    const worker = scriptedWorker((options) => {
      expect(existsSync(join(dir, 'health'))).toBe(true)
      rmSync(join(dir, 'health'))
      options.onBeat?.()
      expect(existsSync(join(dir, 'health'))).toBe(true)
    })
    const { run } = cli({ workAny: worker.workAny }, { cwd: dir })
    expect(await run('worker', '--health-file', 'health', '--until-idle')).toBe(0)
    expect(existsSync(join(dir, 'health'))).toBe(false)
    expect(await run('worker', '--health-file', 'no/such/folder/health')).toBe(2)
  })

  it('says what happens to it', async () => {
    const worker = scriptedWorker((options) => options.onNote?.('its chunks went to others'))
    const { run, events, err } = cli({ workAny: worker.workAny })
    await run('worker', '--until-idle')
    expect(events()).toContainEqual({ type: 'note', message: 'its chunks went to others' })
    expect(err()).toContain('its chunks went to others')
  })
})

describe('sluice status --fleet', () => {
  it('shows who works, who holds what since when, and what waits', async () => {
    const { run, out } = cli({ fleet: async () => aFleet() }, { tty: 160 })
    expect(await run('status', '--fleet')).toBe(0)
    expect(out().split('\n')).toEqual([
      'WORKER                                HOST   PID  VERSION  JOB                                       CHUNKS  ROWS        HEARD  ROLES',
      `${WORKER_ID}  box-1   42  0.1.0    any                                          1/5    64          0 s  janitor`,
      `dead                                  box-1   42  0.1.0    ${JOB_ID}     0/5        dead, 1 min`,
      '',
      'JOB                                       CHUNK  WORKER                                HELD FOR',
      `${JOB_ID}      3  ${WORKER_ID}      30 s`,
      '',
      'queue: 120 ready, 2 delayed, 1 leased; the oldest has waited 4 s',
      '',
    ])
  })

  it('gives programs a line for each', async () => {
    const { run, events } = cli({ fleet: async () => aFleet() })
    await run('status', '--fleet')
    expect(events().map(({ type }) => type)).toEqual(['version', 'member', 'member', 'held_chunk', 'queue'])
    expect(events()[1]).toMatchObject({ worker: WORKER_ID, chunks: { max: 5, held: 1 }, silent_s: 0.4, gone: false })
    expect(events()[3]).toMatchObject({ chunk: 3, since: new Date(CREATED_MS + 11_000).toISOString() })
    expect(events()[4]).toEqual({ type: 'queue', ready: 120, delayed: 2, leased: 1, oldest_ready_s: 4 })
  })

  it('is what `status` shows where there are workers and no job yet', async () => {
    const { run, out } = cli({ fleet: async () => aFleet(), latest: async () => null }, { tty: 160 })
    expect(await run('status')).toBe(0)
    expect(out()).toContain('box-1')
  })

  it('is a line of `status` where there are both', async () => {
    const verbs = { fleet: async () => aFleet(), latest: async () => aJob(), status: async () => aStatus() }
    const { run, out } = cli(verbs, { tty: 100 })
    await run('status')
    expect(out()).toContain('fleet    1 worker, 1 chunk held; queue: 120 ready')
  })
})

describe('--detach', () => {
  const submitted = { job: aJob({ state: 'queued' }), created: true, notes: [] }
  const queued = aStatus({ job: aJob({ state: 'queued' }), live: null })
  const verbs = {
    submit: async () => submitted,
    resume: async () => submitted.job,
    status: async () => queued,
    fleet: async () => aFleet(),
  }

  it('prints the id of the job, and who will work on it', async () => {
    const { run, out, err, calls } = cli(verbs, { tty: 100 })
    expect(await run('run', 'spec.yaml', '--detach')).toBe(0)
    expect(out()).toBe(`${JOB_ID}\n`)
    expect(err()).toContain('1 worker will take it up.')
    expect(calls.filter((call) => call.startsWith('work'))).toEqual([])
  })

  it('says how to go on where nobody works', async () => {
    const { run, err, events } = cli({ ...verbs, fleet: async () => aFleet({ workers: [], chunks: [] }) })
    expect(await run('run', 'spec.yaml', '--detach')).toBe(0)
    expect(err()).toContain('No worker is about. Start one:  sluice worker')
    expect(events().at(-1)).toMatchObject({ type: 'summary', job: JOB_ID, state: 'queued' })
  })

  it('cannot write results at an end that it does not wait for', async () => {
    const { run, calls } = cli(verbs)
    expect(await run('run', 'spec.yaml', '--detach', '-o', 'out.csv')).toBe(2)
    expect(calls).toEqual([])
  })

  it('of a job that is over shows it, exit 0', async () => {
    const over = aFinished()
    const { run, calls } = cli({ submit: async () => ({ ...submitted, job: over.job }), status: async () => over })
    expect(await run('run', 'spec.yaml', '--detach', '--job-key', 'k')).toBe(0)
    expect(calls).not.toContain(`resume ${JOB_ID}`)
  })

  it('of `resume` leaves the job to others, unless its input is still to be read', async () => {
    const { run, calls } = cli(verbs)
    expect(await run('resume', JOB_ID, '--detach')).toBe(0)
    expect(calls).toContain(`resume ${JOB_ID}`)
    const created = aStatus({ job: aJob({ state: 'created' }), live: null })
    expect(await cli({ ...verbs, status: async () => created }).run('resume', JOB_ID, '--detach')).toBe(2)
  })
})

describe('sluice set --worker', () => {
  it('asks a worker for another concurrency', async () => {
    const asked: unknown[] = []
    const { run, events } = cli({ setWorker: async (...args) => void asked.push(args) })
    expect(await run('set', '--worker', WORKER_ID, '--concurrency', '8')).toBe(0)
    expect(asked).toEqual([[WORKER_ID, 8]])
    expect(events().at(-1)).toEqual({ type: 'settings', worker: WORKER_ID, concurrency: 8 })
  })

  it.each([
    [['set', JOB_ID, '--worker', WORKER_ID, '--concurrency', '8']],
    [['set', '--worker', WORKER_ID]],
    [['set', '--worker', WORKER_ID, '--priority', 'high']],
    [['set', '--concurrency', '8']],
  ])('%j is wrong', async (argv) => {
    const { run, calls } = cli({})
    expect(await run(...argv)).toBe(2)
    expect(calls).toEqual([])
  })
})

describe('sluice migrate', () => {
  it.each([
    [0, 'The database is up to date.'],
    [2, 'The database was brought up to date: 2 steps.'],
  ])('says what it did in %i steps', async (steps, said) => {
    const { run, err, events } = cli({}, { more: { migrate: async () => ({ what: 'The database', steps }) } })
    expect(await run('migrate')).toBe(0)
    expect(err()).toContain(said)
    expect(events().at(-1)).toEqual({ type: 'migrated', steps, rebuilt_jobs: null })
  })

  it('makes the messages anew', async () => {
    const { run, err, events } = cli({ rebuildQueue: async () => 3 })
    expect(await run('migrate', '--rebuild-queue')).toBe(0)
    expect(err()).toContain('Messages were made anew for 3 jobs.')
    expect(events().at(-1)).toMatchObject({ rebuilt_jobs: 3 })
  })
})

it('a store that goes away in the middle of a command is an error of the catalogue', async () => {
  const status = async () => {
    throw new StorageFailure('io', 'Connection terminated unexpectedly')
  }
  const { run, err, events } = cli({ status })
  expect(await run('status', JOB_ID)).toBe(1)
  expect(err()).toContain('error: the store does not answer as it should: Connection terminated unexpectedly')
  expect(events().at(-1)).toMatchObject({ type: 'error', code: 'storage', exit_code: 1 })
})
