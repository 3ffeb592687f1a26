import { durationText } from '../domain/limit-text.ts'
import type { Notice } from '../domain/notice.ts'
import type { Events } from '../events.ts'
import { type Runtime, sha256 } from '../runtime.ts'
import type { NoticeVerdict, Outbox } from '../store/role/outbox.ts'
import type { Post } from './post.ts'
import { PrivateAddress } from './public-address.ts'
import { pauseMs } from './schedule.ts'
import { signedHeaders, UnusableSecret } from './sign.ts'

/** An attempt that has no answer by then has failed. */
const ANSWER_MS = 15_000
/** By then whoever has claimed a notice has written down what came of it, or is dead. */
const CLAIM_MS = 60_000
/** Notices that are sent at the same time. */
const AT_ONCE = 16

export interface DeliveryDeps {
  readonly outbox: Outbox
  readonly post: Post
  /** Reads a variable of the environment: addresses and secrets. */
  readonly env: (name: string) => string | undefined
  readonly runtime: Pick<Runtime, 'now' | 'after' | 'random'>
  readonly events: Pick<Events, 'emit'>
}

/** Sends what the outbox holds. */
export interface Delivery {
  /**
   * Makes an attempt for everything that is due now, a few at a time; returns for how much. What fails is due again later: it harms nobody here, and
   * is not thrown. Any number of processes may do this at the same time. Once `signal` aborts it begins no more, and gives up what it waits for.
   */
  deliverDue(signal: AbortSignal): Promise<number>
}

/** What an attempt came to. */
interface Answer {
  /** `gone`: the address has just said so; `unwanted`: it had said so before, and was not asked. */
  readonly kind: 'delivered' | 'failed' | 'gone' | 'unwanted'
  readonly note: string
}

/** Creates the delivery of one process. */
export function createDelivery(deps: DeliveryDeps): Delivery {
  const { outbox, runtime } = deps
  return Object.freeze({
    async deliverDue(signal: AbortSignal) {
      for (let sent = 0; ; ) {
        if (signal.aborted) return sent
        const now = runtime.now()
        const claimed = await outbox.claim(now, now + CLAIM_MS, AT_ONCE)
        await Promise.all(claimed.map((notice) => deliver(deps, notice, signal)))
        sent += claimed.length
        if (claimed.length < AT_ONCE) return sent
      }
    },
  })
}

async function deliver(deps: DeliveryDeps, notice: Notice, signal: AbortSignal): Promise<void> {
  const { outbox, runtime, events, env } = deps
  const { address } = notice.target
  const url = 'url' in address ? address.url : (env(address.env) ?? '')
  const hash = url === '' ? null : sha256(url)
  const answer =
    hash === null
      ? { kind: 'failed' as const, note: `the variable ${'env' in address ? address.env : ''} is not set here` }
      : ((await unwanted(outbox, notice, hash)) ?? (await attempt(deps, notice, url, signal)))
  const verdict = verdictOf(answer, notice, { atMs: runtime.now(), hash, random: runtime.random() })
  await outbox.settle(notice, verdict)
  if (verdict.state !== 'delivered') {
    const { id, jobId, jobNo, target, type } = notice
    events.emit('notice.undelivered', {
      jobNo,
      message: `${type} of ${jobId} to ${target.kind} (${id}): ${verdict.note}`,
    })
  }
}

/** An address that has said 410 is left alone, unless somebody has sent this notice anew since. */
async function unwanted(outbox: Outbox, notice: Notice, hash: string): Promise<Answer | null> {
  const goneAtMs = await outbox.goneAt(notice.tenantNo, hash)
  if (goneAtMs === null || (notice.replayedAtMs ?? 0) > goneAtMs) return null
  return {
    kind: 'unwanted',
    note: `the address has answered 410 Gone at ${new Date(goneAtMs).toISOString()}, and is used no more`,
  }
}

async function attempt(deps: DeliveryDeps, notice: Notice, url: string, signal: AbortSignal): Promise<Answer> {
  const { runtime, post, env } = deps
  const over = new AbortController()
  const cancel = runtime.after(ANSWER_MS, () => over.abort())
  try {
    const headers = { 'content-type': 'application/json', 'user-agent': 'sluice', ...signature(notice, env, runtime) }
    const status = await post({ url, headers, body: notice.body, signal: AbortSignal.any([signal, over.signal]) })
    return answered(status)
  } catch (error) {
    if (over.signal.aborted) return { kind: 'failed', note: `no answer within ${ANSWER_MS / 1000} s` }
    if (signal.aborted) return { kind: 'failed', note: 'this process went before an answer came' }
    return { kind: 'failed', note: reasonOf(error) }
  } finally {
    cancel()
  }
}

/** Slack knows no signatures. */
function signature(
  notice: Notice,
  env: DeliveryDeps['env'],
  { now }: Pick<Runtime, 'now'>,
): Readonly<Record<string, string>> {
  const { kind, secretEnv } = notice.target
  if (kind === 'slack') return {}
  const secret = secretEnv === null ? null : env(secretEnv)
  if (secret === undefined) throw new UnusableSecret(`the variable ${secretEnv} is not set here`)
  return signedHeaders(notice, secret, now())
}

/** Only 2xx is success, and a redirect is none: where it leads nobody has agreed to. */
function answered(status: number): Answer {
  if (status >= 200 && status < 300) return { kind: 'delivered', note: `answered ${status}` }
  if (status === 410) return { kind: 'gone', note: 'answered 410 Gone: the address is used no more' }
  if (status >= 300 && status < 400) return { kind: 'failed', note: `answered ${status}: redirects are not followed` }
  return { kind: 'failed', note: `answered ${status}` }
}

/** What is said of a failure names no address: as a whole it may be a secret. */
function reasonOf(error: unknown): string {
  if (error instanceof PrivateAddress || error instanceof UnusableSecret) return error.message
  const { code, name } = error as NodeJS.ErrnoException
  return `could not be reached: ${code ?? name}`
}

function verdictOf(
  { kind, note }: Answer,
  { attempts }: Notice,
  { atMs, hash, random }: { readonly atMs: number; readonly hash: string | null; readonly random: number },
): NoticeVerdict {
  const address = hash === null ? null : { hash, gone: kind === 'gone' }
  if (kind === 'delivered') return { state: 'delivered', note, atMs, address }
  const pause = kind === 'failed' ? pauseMs(attempts, random) : null
  if (pause === null) {
    const why = kind === 'failed' ? `${note}, and so ${attempts} times` : note
    return { state: 'given_up', note: why, atMs, address }
  }
  return {
    state: 'due',
    note: `${note}; attempt ${attempts}, next in ${durationText(pause)}`,
    nextAtMs: atMs + pause,
    atMs,
    address,
  }
}
