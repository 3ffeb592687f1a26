import type { Notice } from '../domain/notice.ts'
import type { Events } from '../events.ts'
import { type Runtime, sha256 } from '../runtime.ts'
import type { NoticeVerdict, Outbox } from '../store/role/outbox.ts'
import type { Post } from './post.ts'
import { PrivateAddress } from './public-address.ts'
import { signedHeaders, UnusableSecret } from './sign.ts'
import { createUnderWay, targetOf } from './under-way.ts'
import { type Answer, answered, failed, isLastFailure, unsent, verdictOf } from './verdict.ts'

/** An attempt that has no answer by then has failed. */
const ANSWER_MS = 15_000
/** By then whoever has claimed a notice has written down what came of it, or is dead. */
const CLAIM_MS = 60_000
/** Notices that are sent at the same time; to one target, and from when on a tenant is to wait for its turn. */
const AT_ONCE = 32
const PER_TARGET = 4
const PER_TENANT = 16
/** How often it is looked for what has become due while others are waited for. */
const LOOK_MS = 1_000

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
  /**
   * Sends one notice anew, whatever had become of it, and waits for nothing else; returns what came of it. `null`: the tenant has none with this id. Like
   * `deliverDue` it throws nothing that goes wrong elsewhere.
   */
  deliverAgain(tenantNo: number, id: string, signal: AbortSignal): Promise<Notice | null>
}

/** Creates the delivery of one process. */
export function createDelivery(deps: DeliveryDeps): Delivery {
  const { outbox, runtime } = deps
  return Object.freeze({
    async deliverDue(signal: AbortSignal) {
      const underWay = createUnderWay((notice) => deliver(deps, notice, signal), runtime)
      for (let sent = 0; ; ) {
        const beside = underWay.look()
        const isOver = signal.aborted || underWay.isBroken
        const claimed = isOver ? [] : await claimMore(deps, beside).catch(underWay.breakOff)
        underWay.begin(claimed)
        sent += claimed.length
        if (claimed.length + beside.length > 0) await underWay.ended(LOOK_MS)
        else {
          underWay.throwIfBroken()
          return sent
        }
      }
    },
    async deliverAgain(tenantNo: number, id: string, signal: AbortSignal) {
      const now = runtime.now()
      // In one step with the claim: whoever else sends would have it in between, and go about its own backlog first.
      if (!(await outbox.replay(tenantNo, id, now, now + CLAIM_MS))) return null
      const notice = await outbox.get(tenantNo, id)
      if (notice === null) return null
      await deliver(deps, notice, signal)
      return await outbox.get(tenantNo, id)
    },
  })
}

/** What is due and has room beside what is under way: an address that hangs keeps nobody else from theirs. */
async function claimMore({ outbox, runtime }: DeliveryDeps, underWay: readonly Notice[]): Promise<readonly Notice[]> {
  const room = AT_ONCE - underWay.length
  if (room <= 0) return []
  const byTenant = Map.groupBy(underWay, ({ tenantNo }) => tenantNo)
  const now = runtime.now()
  return await outbox.claim(now, now + CLAIM_MS, room, {
    perTarget: PER_TARGET,
    perTenant: PER_TENANT,
    busyTargets: [...Map.groupBy(underWay, targetOf).values()].map(([first]) => first as Notice),
    busyTenants: [...byTenant].filter(([, notices]) => notices.length >= PER_TENANT).map(([tenantNo]) => tenantNo),
  })
}

async function deliver(deps: DeliveryDeps, notice: Notice, signal: AbortSignal): Promise<void> {
  const { outbox, runtime, env } = deps
  const { address } = notice.target
  const url = 'url' in address ? address.url : (env(address.env) ?? '')
  const hash = url === '' ? null : sha256(url)
  const answer =
    hash === null
      ? unsent(`the variable ${'env' in address ? address.env : ''} is not set here`)
      : ((await unwanted(outbox, notice, hash)) ?? (await attempt(deps, notice, url, signal)))
  const atMs = runtime.now()
  const isDead = isLastFailure(answer, notice) && (await outbox.givenUpBeside(notice)) > 0
  const verdict = verdictOf({ answer, isDead, notice, hash, atMs, random: runtime.random() })
  await outbox.settle(notice, verdict)
  tell(deps, notice, verdict)
}

function tell({ events }: DeliveryDeps, { id, jobId, jobNo, target, type }: Notice, verdict: NoticeVerdict): void {
  if (verdict.state === 'delivered') return
  const message = `${type}${jobId === null ? '' : ` of ${jobId}`} to ${target.kind} (${id}): ${verdict.note}`
  events.emit('notice.undelivered', { jobNo, message })
  if (verdict.address?.gone === true) events.emit('notice.disabled', { jobNo, message })
}

/** An address that is in use no more is left alone, unless somebody has sent this notice anew since. */
async function unwanted(outbox: Outbox, notice: Notice, hash: string): Promise<Answer | null> {
  const sinceMs = await outbox.goneAt(notice.tenantNo, hash)
  if (sinceMs === null || (notice.replayedAtMs ?? 0) > sinceMs) return null
  return {
    kind: 'unwanted',
    note: `the address is disabled since ${new Date(sinceMs).toISOString()}; a notice that is sent anew and arrives enables it`,
    askedMs: 0,
  }
}

async function attempt(deps: DeliveryDeps, notice: Notice, url: string, signal: AbortSignal): Promise<Answer> {
  const { runtime, post, env } = deps
  const over = new AbortController()
  const cancel = runtime.after(ANSWER_MS, () => over.abort())
  try {
    const headers = { 'content-type': 'application/json', 'user-agent': 'sluice', ...signature(notice, env, runtime) }
    const said = await post({ url, headers, body: notice.body, signal: AbortSignal.any([signal, over.signal]) })
    return answered(said, runtime.now())
  } catch (error) {
    if (over.signal.aborted) return failed(`no answer within ${ANSWER_MS / 1000} s`)
    if (signal.aborted) return unsent('this process went before an answer came')
    if (error instanceof PrivateAddress || error instanceof UnusableSecret) return unsent(error.message)
    return failed(reasonOf(error))
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

/** What is said of a failure names no address: as a whole it may be a secret. */
function reasonOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException
  return `could not be reached: ${code ?? name}`
}
