import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import { isTerminal, type Job } from '../../src/domain/job.ts'
import { pause, resume } from '../../src/job/control.ts'
import { fails, says, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { type AtWork, openWorkshop, type Workshop } from './workshop.ts'

/** Longer than a run takes, so that nothing but the script decides. */
const MOST_STEPS = 14

/** How one request is answered. */
const answer = fc.oneof(
  { weight: 6, arbitrary: fc.constant('good' as const) },
  { weight: 1, arbitrary: fc.constantFrom('refused', 'timeout', 'rate_limited', 'nonsense') },
)

/** What happens to the job from outside, one after the other. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('answer' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resume' as const) }) },
)

const plan = fc.record({
  rows: fc.integer({ min: 1, max: 14 }),
  /** Fewer texts than rows: some rows are equal, and share an answer. */
  texts: fc.integer({ min: 1, max: 20 }),
  chunkRows: fc.integer({ min: 1, max: 6 }),
  answers: fc.array(answer, { minLength: 10, maxLength: 60 }),
  steps: fc.array(step, { maxLength: MOST_STEPS }),
})

type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never

it('whatever is answered, killed, paused and resumed in whatever order: every row ends once, and the books are right at each step', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async (drawn) => {
      const shop = await openWorkshop()
      try {
        await play(shop, drawn)
      } finally {
        await shop.close()
      }
    }),
    { numRuns: 60, endOnFailure: true },
  )
}, 300_000)

async function play(shop: Workshop, { rows, texts, chunkRows, answers, steps }: Plan): Promise<void> {
  const waiting: (() => void)[] = []
  let served = 0
  let free = false
  shop.lane.answers(async () => {
    if (!free) await new Promise<void>((resolve) => waiting.push(resolve))
    served += 1
    return completionOf(answers[served % answers.length] as Plan['answers'][number])
  })
  const shared = texts < rows
  const input = Array.from({ length: rows }, (_, index) => `text ${index % texts}`)
  const execution = { chunkAttempts: 100, cache: shared ? 'job' : 'off' } as const
  const job = await shop.job({ rows: input, chunkRows, execution })
  const working: AtWork[] = []
  /** Rows whose outcome stood committed, and how often each had been sent by then. */
  const settled = new Map<number, number>()
  const look = async () => {
    await shop.assertBalanced(job)
    for (const { rowIndex } of await shop.outcomes(job))
      if (!shared && !settled.has(rowIndex)) settled.set(rowIndex, timesSent(shop, rowIndex))
  }
  for (const next of steps) {
    await take(shop, job, next, working, waiting)
    await look()
  }
  free = true
  for (const release of waiting) release()
  for (const worker of working) worker.abandon()
  await Promise.all(working.map((worker) => worker.done))
  await look()
  for (let now = await shop.reread(job); !isTerminal(now.state); now = await shop.work(job))
    await resume(shop.jobDeps, now)
  await look()
  expect((await shop.outcomes(job)).map(({ rowIndex }) => rowIndex)).toEqual(input.map((_, index) => index))
  // What was committed was never sent again.
  for (const [rowIndex, times] of settled) expect(timesSent(shop, rowIndex)).toBe(times)
  if (shared && answers.every((how) => how === 'good')) {
    const asked = (await shop.outcomes(job)).filter(({ lane }) => lane !== 'cache')
    expect(asked).toHaveLength(texts)
  }
  const ledger = await shop.store.attempts.ledger(job.jobNo)
  expect(ledger.open).toBe(0)
  expect(ledger.attempts).toBeGreaterThanOrEqual(shop.lane.sent.length)
}

async function take(
  shop: Workshop,
  job: Job,
  next: Plan['steps'][number],
  working: AtWork[],
  waiting: (() => void)[],
): Promise<void> {
  const now = await shop.reread(job)
  switch (next.kind) {
    case 'answer':
      for (const release of waiting.splice(0, next.count)) release()
      return
    case 'start':
      if (working.length < 3) working.push(shop.start(job, { chunks: 2 }))
      return
    case 'kill':
      return end(working.shift(), (worker) => worker.abandon())
    case 'leave':
      return leave(working.shift(), waiting)
    case 'pause':
      if (!isTerminal(now.state) && now.state !== 'finalizing') await pause(shop.jobDeps, now)
      return
    case 'resume':
      if (!isTerminal(now.state)) await resume(shop.jobDeps, now)
  }
}

async function end(worker: AtWork | undefined, how: (worker: AtWork) => void): Promise<void> {
  if (worker === undefined) return
  how(worker)
  await worker.done
}

/** A worker that leaves in order waits for its rows: they are answered. */
async function leave(worker: AtWork | undefined, waiting: (() => void)[]): Promise<void> {
  if (worker === undefined) return
  worker.stop()
  let gone = false
  void worker.done.then(() => {
    gone = true
  })
  await until('it has left', () => {
    for (const release of waiting.splice(0)) release()
    return gone
  })
}

function completionOf(how: Plan['answers'][number]): Completion {
  if (how === 'good') return topic()
  return how === 'nonsense' ? says('nonsense') : fails(how)
}

function timesSent(shop: Workshop, rowIndex: number): number {
  return shop.lane.sent.filter(({ text }) => text === `text ${rowIndex}`).length
}
