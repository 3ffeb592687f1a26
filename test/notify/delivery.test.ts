import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NoticeTarget } from '../../src/domain/notice.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { createDelivery } from '../../src/notify/delivery.ts'
import type { Post, PostRequest } from '../../src/notify/post.ts'
import { PAUSES_MS } from '../../src/notify/schedule.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { nextId, queuedJob, T } from '../conformance/store-fixture.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

const URL_OF_HOOK = 'https://hooks.example/very-secret-path'
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const webhook: NoticeTarget = { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: 'HOOK_SECRET' }

let dir: string
let store: Store
let env: Record<string, string>
let runtime: ReturnType<typeof manualRuntime>
let sent: PostRequest[]
let undelivered: string[]
let answer: (request: PostRequest) => number | Promise<number>
let retryAfter: string | null
let disabled: number

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-notify-'))
  runtime = manualRuntime(T, 0)
  store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, ballastBytes: 0 })
  env = { HOOK_URL: URL_OF_HOOK, HOOK_SECRET: SECRET }
  sent = []
  undelivered = []
  retryAfter = null
  disabled = 0
  answer = () => 200
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

/** The delivery of another process each time. */
const delivery = () => {
  const post: Post = async (request) => {
    sent.push(request)
    return { status: await answer(request), retryAfter }
  }
  const events = {
    emit(name: string, event: unknown) {
      if (name === 'notice.disabled') disabled += 1
      else undelivered.push((event as { message: string }).message)
    },
  }
  return createDelivery({ outbox: store.outbox, post, env: (name) => env[name], runtime, events })
}
const deliver = (signal = new AbortController().signal) => delivery().deliverDue(signal)
const deliverAgain = (id: string, tenantNo = 1) => delivery().deliverAgain(tenantNo, id, new AbortController().signal)

async function told(...targets: NoticeTarget[]): Promise<readonly string[]> {
  const job = await queuedJob(store, [1])
  const notices = targets.map((target, targetNo) => {
    return { id: `msg_${nextId()}`, targetNo, target, type: 'job.paused' as const, body: `{"n":${targetNo}}` }
  })
  await store.write(async (tx) => {
    await store.jobs.change(tx, job.jobNo, ['queued'], { to: 'paused', atMs: T })
    await store.outbox.put(tx, job, notices, T)
  })
  return notices.map(({ id }) => id)
}
const notice = async (id: string | undefined) => (await store.outbox.get(1, id ?? ''))!

describe('an attempt', () => {
  it('that is answered with 2xx is the last; it is signed as the standard has it', async () => {
    const [id] = await told(webhook)
    expect(await deliver()).toBe(1)
    expect(await deliver()).toBe(0)
    const [{ url, body, headers }] = sent as [PostRequest]
    expect(url).toBe(URL_OF_HOOK)
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': id })
    expect(headers['webhook-signature']).toBe(new Webhook(SECRET).sign(id as string, new Date(T), body))
    expect(await notice(id)).toMatchObject({ state: 'delivered', note: 'answered 200', attempts: 1 })
    expect(undelivered).toEqual([])
  })

  it('to Slack, or without a secret, is not signed', async () => {
    await told({ ...webhook, kind: 'slack', secretEnv: null }, { ...webhook, secretEnv: null })
    expect(await deliver()).toBe(2)
    expect(sent.map(({ headers }) => Object.keys(headers).filter((name) => name.startsWith('webhook-')))).toEqual([
      [],
      ['webhook-id', 'webhook-timestamp'],
    ])
  })

  it.each([
    [500, 'answered 500'],
    [404, 'answered 404'],
    [302, 'redirects are not followed'],
  ])('that is answered with %i comes again after 5 s', async (status, note) => {
    answer = () => status
    const [id] = await told(webhook)
    await deliver()
    expect(await notice(id)).toMatchObject({ state: 'due', attempts: 1, nextAtMs: T + 5_000 })
    expect((await notice(id)).note).toContain(note)
    expect(await deliver()).toBe(0)
    await runtime.pass(5_000)
    answer = () => 204
    expect(await deliver()).toBe(1)
    expect(await notice(id)).toMatchObject({ state: 'delivered', attempts: 2 })
    expect(sent.map(({ headers }) => headers['webhook-id'])).toEqual([id, id])
    expect(new Set(sent.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(2)
  })

  it.each([
    [429, '600', 600_000],
    [503, 'Thu, 01 Jan 1970 00:00:00 GMT', 5_000],
    [503, new Date(T + 900_000).toUTCString(), 900_000],
    [503, '86400000', 86_400_000],
    [429, '1', 5_000],
    [429, 'soon', 5_000],
    [500, '600', 5_000],
  ])('that is answered with %i and Retry-After %s comes again after %i ms', async (status, asked, pause) => {
    answer = () => status
    retryAfter = asked
    const [id] = await told(webhook)
    await deliver()
    const { nextAtMs } = await notice(id)
    // A date has seconds only.
    expect(Math.abs((nextAtMs ?? 0) - T - pause)).toBeLessThan(1_000)
  })

  it('is made ten times over days, and then no more', async () => {
    answer = () => 503
    const [id] = await told(webhook)
    for (const pause of PAUSES_MS) {
      expect(await deliver()).toBe(1)
      await runtime.pass(pause - 1)
      expect(await deliver()).toBe(0)
      await runtime.pass(1)
    }
    await deliver()
    expect(await notice(id)).toMatchObject({ state: 'given_up', attempts: 10, nextAtMs: null })
    expect(sent).toHaveLength(10)
    await runtime.pass(10 * 86_400_000)
    expect(await deliver()).toBe(0)
    await store.outbox.replay(1, id as string, runtime.now())
    answer = () => 200
    expect(await deliver()).toBe(1)
    expect(await notice(id)).toMatchObject({ state: 'delivered', attempts: 1 })
  })

  it('without an answer ends after 15 s, or with the process', async () => {
    answer = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const [id] = await told(webhook)
    const slow = deliver()
    await expect.poll(() => sent.length).toBe(1)
    await runtime.pass(14_999)
    expect((await notice(id)).note).toBeNull()
    await runtime.pass(1)
    await slow
    expect((await notice(id)).note).toContain('no answer within 15 s')
    await runtime.pass(5_000)
    const stop = new AbortController()
    const leaving = deliver(stop.signal)
    await expect.poll(() => sent.length).toBe(2)
    stop.abort()
    await leaving
    expect(await notice(id)).toMatchObject({ state: 'due', attempts: 2 })
    expect(await deliver(stop.signal)).toBe(0)
  })

  it.each([
    ['HOOK_URL', '', 'the variable HOOK_URL is not set here'],
    ['HOOK_SECRET', '', 'the secret is none of Standard Webhooks'],
    ['HOOK_SECRET', 'whsec_short', 'the secret is none of Standard Webhooks'],
  ])('where %s is %j is not made, and comes again', async (name, value, note) => {
    env[name] = value
    const [id] = await told(webhook)
    await deliver()
    expect(sent).toEqual([])
    expect(await notice(id)).toMatchObject({ state: 'due', attempts: 1 })
    expect((await notice(id)).note).toContain(note)
    Object.assign(env, { HOOK_URL: URL_OF_HOOK, HOOK_SECRET: SECRET })
    await runtime.pass(5_000)
    await deliver()
    expect(await notice(id)).toMatchObject({ state: 'delivered' })
  })

  it('that fails says so, and shows neither address nor secret', async () => {
    answer = () => {
      throw Object.assign(new Error(`connect to ${URL_OF_HOOK} failed`), { code: 'ECONNREFUSED' })
    }
    const [id] = await told(webhook)
    await deliver()
    expect(undelivered).toEqual([
      expect.stringMatching(
        /^job\.paused of job_.* to webhook \(msg_.*\): could not be reached: ECONNREFUSED; attempt 1/,
      ),
    ])
    const shown = JSON.stringify([undelivered, await notice(id)])
    expect(shown).not.toContain('very-secret-path')
    expect(shown).not.toContain(SECRET.slice(6))
  })
})

describe('an address that is gone', () => {
  const other: NoticeTarget = { kind: 'webhook', address: { url: 'https://other.example/' }, secretEnv: null }

  it('is left alone, whichever variable names it, until somebody sends a notice to it anew', async () => {
    answer = ({ url }) => (url === URL_OF_HOOK ? 410 : 200)
    const [first, elsewhere] = await told(webhook, other)
    await deliver()
    expect(await notice(first)).toMatchObject({ state: 'given_up', note: expect.stringContaining('410 Gone') })
    expect(await notice(elsewhere)).toMatchObject({ state: 'delivered' })
    env.SAME_HOOK = URL_OF_HOOK
    const [second] = await told({ ...webhook, address: { env: 'SAME_HOOK' } })
    await deliver()
    expect(sent).toHaveLength(2)
    expect(await notice(second)).toMatchObject({
      state: 'given_up',
      note: expect.stringContaining('is disabled since'),
    })
    await runtime.pass(1_000)
    answer = () => 200
    await store.outbox.replay(1, second as string, runtime.now())
    await deliver()
    expect(await notice(second)).toMatchObject({ state: 'delivered' })
    const [third] = await told(webhook)
    await deliver()
    expect(await notice(third)).toMatchObject({ state: 'delivered' })
  })

  it('is another where the variable holds another', async () => {
    answer = ({ url }) => (url === URL_OF_HOOK ? 410 : 200)
    await told(webhook)
    await deliver()
    env.HOOK_URL = 'https://hooks.example/new'
    const [id] = await told(webhook)
    await deliver()
    expect(await notice(id)).toMatchObject({ state: 'delivered' })
  })
})

describe('an address that takes nothing', () => {
  const through = async () => {
    for (const pause of [...PAUSES_MS, 0]) {
      await deliver()
      await runtime.pass(pause)
    }
  }

  it('is disabled when a second notice has failed ten times, until one that is sent anew arrives', async () => {
    answer = () => 500
    const [first] = await told(webhook)
    await through()
    expect(await notice(first)).toMatchObject({ state: 'given_up', note: 'answered 500, and so 10 times' })
    expect(disabled).toBe(0)
    const [second] = await told(webhook)
    await through()
    expect((await notice(second)).note).toContain('the address is disabled')
    expect(disabled).toBe(1)
    const [third] = await told(webhook)
    await deliver()
    expect(sent).toHaveLength(20)
    expect(await notice(third)).toMatchObject({ state: 'given_up', note: expect.stringContaining('sent anew') })
    await runtime.pass(1_000)
    answer = () => 200
    await store.outbox.replay(1, second as string, runtime.now())
    await deliver()
    const [fourth] = await told(webhook)
    await deliver()
    expect(await notice(fourth)).toMatchObject({ state: 'delivered' })
  })

  it('stays in use where one arrived in between, or where the fault is on our side', async () => {
    answer = () => 400
    await told(webhook)
    await through()
    answer = () => 200
    await told(webhook)
    await deliver()
    answer = () => 400
    await told(webhook)
    await through()
    env.HOOK_SECRET = 'whsec_short'
    const [last] = await told(webhook)
    await through()
    expect(await notice(last)).toMatchObject({ state: 'given_up', attempts: 10 })
    expect(disabled).toBe(0)
  })
})

describe('an address that hangs', () => {
  const slow: NoticeTarget = { kind: 'webhook', address: { url: 'https://slow.example/' }, secretEnv: null }
  const other: NoticeTarget = { kind: 'webhook', address: { url: 'https://other.example/' }, secretEnv: null }
  const hangs = ({ signal }: PostRequest) =>
    new Promise<number>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const sentTo = (url: string) => sent.filter((request) => request.url === url).length

  it('keeps nobody else from theirs, though ten thousand notices wait for it', async () => {
    for (let n = 0; n < 4; n += 1) await told(...Array.from({ length: 2_500 }, () => slow))
    const foreign = (await store.tenants.add('other', NO_CAPS, T))?.tenantNo ?? 0
    const alone = { id: `msg_${nextId()}`, targetNo: 0, target: slow, type: 'batch.completed', body: '{}' } as const
    await store.outbox.putAlone({ tenantNo: foreign, jobNo: null }, alone, T)
    const beside = await told(...Array.from({ length: 20 }, () => other))
    answer = (request) => (request.url === 'https://slow.example/' ? hangs(request) : 200)
    const stop = new AbortController()
    const going = deliver(stop.signal)
    await expect.poll(() => sentTo('https://other.example/')).toBe(20)
    for (const id of beside) expect(await notice(id)).toMatchObject({ state: 'delivered', attempts: 1 })
    // Another tenant's notice to the same address has a turn of its own.
    expect(sentTo('https://slow.example/')).toBe(5)
    // What becomes due meanwhile waits for nobody either.
    const [later] = await told(other)
    await runtime.pass(1_000)
    await expect.poll(async () => (await notice(later)).state).toBe('delivered')
    await runtime.pass(14_000)
    await expect.poll(() => sentTo('https://slow.example/'), { timeout: 10_000 }).toBe(9)
    stop.abort()
    await going
    expect(await store.outbox.claim(T, T + 1, 20_000)).toHaveLength(10_000 - 8)
  }, 60_000)

  it('holds what is due for it back, and loses nothing of it', async () => {
    for (let n = 0; n < 10; n += 1) await told(slow, other)
    answer = (request) => (request.url === 'https://slow.example/' ? hangs(request) : 200)
    const stop = new AbortController()
    const going = deliver(stop.signal)
    await expect.poll(() => sent.length).toBe(14)
    stop.abort()
    await going
    await runtime.pass(5_000)
    answer = () => 200
    expect(await deliver()).toBe(10)
    expect(await store.outbox.list({ tenantNo: 1, limit: 99, states: ['due', 'given_up'] })).toEqual([])
  })
})

describe('a notice that is sent anew by hand', () => {
  const slow: NoticeTarget = { kind: 'webhook', address: { url: 'https://slow.example/' }, secretEnv: null }

  it('waits for nothing else that is due, and sends nothing else', async () => {
    const [id] = await told(webhook)
    await deliver()
    await told(...Array.from({ length: 1_000 }, () => slow))
    await told(webhook)
    answer = ({ url }) => (url === URL_OF_HOOK ? 200 : new Promise<number>(() => undefined))
    expect(await deliverAgain(id as string)).toMatchObject({ id, state: 'delivered', attempts: 1, replayedAtMs: T })
    expect(sent.map(({ headers }) => headers['webhook-id'])).toEqual([id, id])
  })

  it('is due again where it does not arrive, and is none of another tenant', async () => {
    answer = () => 503
    const [id] = await told(webhook)
    expect(await deliverAgain(id as string, 2)).toBeNull()
    expect(sent).toEqual([])
    expect(await deliverAgain(id as string)).toMatchObject({ state: 'due', attempts: 1, nextAtMs: T + 5_000 })
    expect(await deliver()).toBe(0)
  })
})

it('a store that fails ends it with that failure, once what is under way has come to its end', async () => {
  await told(webhook)
  const settle = async () => {
    throw new Error('the disk is gone')
  }
  const broken = { ...store.outbox, settle }
  const post: Post = async () => ({ status: 200, retryAfter: null })
  const events = { emit: () => undefined }
  const delivery = createDelivery({ outbox: broken, post, env: (name) => env[name], runtime, events })
  await expect(delivery.deliverDue(new AbortController().signal)).rejects.toThrow('the disk is gone')
})
