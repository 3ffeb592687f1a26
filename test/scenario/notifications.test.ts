import { Webhook } from 'standardwebhooks'
import { expect, it } from 'vitest'
import { type Answering, type Received, startReceiver } from '../notify/receiver.ts'
import { type JobFolder, jobFolder, provider, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const NOTIFY = `notify:
  - { webhook: "\${HOOK_URL}", secret_env: HOOK_SECRET }
  - { slack: "\${SLACK_URL}", when: [completed] }
`

/** A folder with a job of twenty rows that tells a receiver on this machine. */
async function tellingJob(answer: Answering) {
  const receiver = await startReceiver(answer)
  const variables = { HOOK_URL: `${receiver.url}/hook`, SLACK_URL: `${receiver.url}/slack`, HOOK_SECRET: SECRET }
  const folder = await jobFolder({ ...variables, SLUICE_NOTIFY_PRIVATE: '1' })
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(20))
  await folder.write('spec.yaml', ticketSpec(simulated.url, NOTIFY))
  return { folder, receiver }
}

const outbox = (folder: JobFolder) =>
  folder.query<{ state: string; attempts: number; note: string }>(
    'select state, attempts, note from outbox order by target_no',
  )
/** Nobody waits five minutes, or for a dead process to be given up, in a test. */
const makeDue = (folder: JobFolder) => folder.tell(`update outbox set next_at_ms = 1 where state = 'due'`)
const hooks = (received: readonly Received[]) => received.filter(({ path }) => path === '/hook')

it('a job tells of its end, though its address was refused, its sender was killed, and its receiver went away', async () => {
  const { folder, receiver } = await tellingJob((_n, { path }) => (path === '/slack' ? 200 : null))
  const run = await folder.with({ SLUICE_NOTIFY_PRIVATE: '' }).run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  expect(receiver.received).toEqual([])
  const refused = { state: 'due', attempts: 1, note: expect.stringContaining('private network') }
  expect(await outbox(folder)).toMatchObject([refused, refused])

  await makeDue(folder)
  const killed = folder.start('notify', '--send')
  await until(async () => (await outbox(folder))[1]?.state === 'delivered', 'Slack has heard')
  await until(() => hooks(receiver.received).length === 1, 'the receiver is asked, and hangs')
  killed.child.kill('SIGKILL')
  expect(await killed.ended).toBe('SIGKILL')
  await receiver.close()
  const slack = receiver.received.find(({ path }) => path === '/slack')
  expect(JSON.parse(slack?.body ?? '').text).toMatch(/^tickets completed: 20 ok, \$/)
  expect(await outbox(folder)).toMatchObject([{ state: 'due', attempts: 2 }, { attempts: 2 }])

  const back = await startReceiver(() => 204, receiver.port)
  await makeDue(folder)
  const sent = await folder.run('notify', '--send')
  expect(sent.code, sent.stderr).toBe(0)
  expect(await outbox(folder)).toMatchObject([{ state: 'delivered', attempts: 3 }, { attempts: 2 }])
  const all = [...hooks(receiver.received), ...back.received]
  expect(all).toHaveLength(2)
  expect(new Set(all.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  for (const { body, headers } of all) {
    const payload = new Webhook(SECRET).verify(body, headers as Record<string, string>)
    expect(payload).toMatchObject({ type: 'job.completed', data: { spec: 'tickets', rows: { succeeded: 20 } } })
    expect(body).not.toContain('charged')
  }
  const stored = JSON.stringify([
    await folder.query('select canonical_json from specs'),
    await folder.query('select target, body, note from outbox'),
  ])
  const shown = [stored, run.stdout, run.stderr, sent.stdout, sent.stderr].join()
  for (const secret of [SECRET, receiver.url]) expect(shown).not.toContain(secret)
})

it('a worker of the fleet tells again, seconds later, what did not arrive', async () => {
  const { folder, receiver } = await tellingJob((_n, { path }) => {
    return path === '/hook' && hooks(receiver.received).length === 1 ? 503 : 200
  })
  const detached = await folder.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  const worker = folder.start('worker')
  await until(
    async () => (await outbox(folder)).filter(({ state }) => state === 'delivered').length === 2,
    'both heard',
  )
  worker.child.kill('SIGTERM')
  expect(await worker.ended, worker.stderr()).toBe(0)
  expect(hooks(receiver.received)).toHaveLength(2)
  expect(worker.stderr()).toContain('answered 503; attempt 1, next in 5 s')
})

it('a job tells while it runs that it is late, and how far its budget is used', async () => {
  const receiver = await startReceiver(() => 204)
  const folder = await jobFolder({ HOOK_URL: receiver.url, SLUICE_NOTIFY_PRIVATE: '1' })
  const simulated = await provider(folder, '--latency', '1s')
  await folder.write('tickets.csv', tickets(60))
  const more = `execution: { concurrency: { max: 10 } }
budget: { tokens: 6000 }
notify: [{ webhook: "\${HOOK_URL}", when: [completed, budget, alert] }]
alerts: { running_over: 1s }
`
  await folder.write('spec.yaml', ticketSpec(simulated.url, more))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  const told = receiver.received.map(({ body }) => JSON.parse(body))
  // Some 4,000 of the tokens; nobody is told of a mark, or of a rule, for a second time.
  expect(told.map(({ type, data }) => data.budget?.mark ?? data.alert?.rule ?? type).toSorted()).toEqual([
    50,
    'job.completed',
    'running_over',
  ])
  expect(told[0]).toMatchObject({ type: 'job.alert', data: { rows: { total: 60 } } })
  expect(told[0].data.state).not.toBe('completed')
})
