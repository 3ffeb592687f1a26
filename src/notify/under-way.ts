import type { Notice } from '../domain/notice.ts'
import type { Runtime } from '../runtime.ts'

/** Notices that are being sent, by target. */
export interface UnderWay {
  /** What is under way now. `ended` counts from here. */
  look(): readonly Notice[]
  /** Sends some more. A target is under way until the last of its notices has come to an end. */
  begin(notices: readonly Notice[]): void
  /** Resolves once a target has come to its end since the last look, or after `ms`. */
  ended(ms: number): Promise<void>
  /** Remembers a failure of ours, the first of all: nothing more is to be begun. */
  breakOff(error: unknown): readonly Notice[]
  readonly isBroken: boolean
  throwIfBroken(): void
}

/** Nothing is under way yet. `send` makes an attempt; it rejects for what is our own fault. */
export function createUnderWay(send: (notice: Notice) => Promise<void>, { after }: Pick<Runtime, 'after'>): UnderWay {
  const byTarget = new Map<string, readonly Notice[]>()
  let failure: { readonly error: unknown } | null = null
  let wake = Promise.withResolvers<void>()
  const breakOff = (error: unknown) => {
    failure ??= { error }
    return []
  }
  const sendAll = async (target: string, notices: readonly Notice[]) => {
    byTarget.set(target, notices)
    await Promise.all(notices.map((notice) => send(notice).catch(breakOff)))
    byTarget.delete(target)
    wake.resolve()
  }
  return Object.freeze({
    look() {
      wake = Promise.withResolvers<void>()
      return [...byTarget.values()].flat()
    },
    begin(notices) {
      for (const [target, those] of Map.groupBy(notices, targetOf)) void sendAll(target, those)
    },
    async ended(ms) {
      const cancel = after(ms, wake.resolve)
      await wake.promise
      cancel()
    },
    breakOff,
    get isBroken() {
      return failure !== null
    },
    throwIfBroken() {
      if (failure !== null) throw failure.error
    },
  } satisfies UnderWay)
}

/** Who is told, and for whom: another tenant's address is another, though it may be the same. */
export function targetOf({ tenantNo, target }: Notice): string {
  return `${tenantNo} ${JSON.stringify(target)}`
}
