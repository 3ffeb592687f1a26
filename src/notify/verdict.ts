import { durationText } from '../domain/limit-text.ts'
import type { Notice } from '../domain/notice.ts'
import { parseMoment, parseSeconds } from '../provider/retry-after.ts'
import type { NoticeVerdict } from '../store/role/outbox.ts'
import type { PostAnswer } from './post.ts'
import { pauseMs } from './schedule.ts'

/** What an attempt came to. */
export interface Answer {
  /**
   * `failed`: by the receiver; `unsent`: by something on our side; `gone`: the address has just said that it is; `unwanted`: it is disabled, and was not
   * asked.
   */
  readonly kind: 'delivered' | 'failed' | 'unsent' | 'gone' | 'unwanted'
  readonly note: string
  /** For how long the receiver wants to be left alone, ms. */
  readonly askedMs: number
}

/** What a receiver's answer says. Only 2xx is success, and a redirect is none: where it leads nobody has agreed to. */
export function answered({ status, retryAfter }: PostAnswer, nowMs: number): Answer {
  if (status >= 200 && status < 300) return { kind: 'delivered', note: `answered ${status}`, askedMs: 0 }
  if (status === 410)
    return { kind: 'gone', note: 'answered 410 Gone: the address is disabled, and used no more', askedMs: 0 }
  if (status >= 300 && status < 400) return failed(`answered ${status}: redirects are not followed`)
  const isBusy = (status === 429 || status === 503) && retryAfter !== null
  return {
    ...failed(`answered ${status}`),
    askedMs: isBusy ? (parseSeconds(retryAfter) ?? parseMoment(retryAfter, nowMs) ?? 0) : 0,
  }
}

/** The receiver has not taken it. */
export function failed(note: string): Answer {
  return { kind: 'failed', note, askedMs: 0 }
}

/** It did not get as far as the receiver. */
export function unsent(note: string): Answer {
  return { kind: 'unsent', note, askedMs: 0 }
}

/** Whether the receiver has failed to take the notice for the last time. */
export function isLastFailure({ kind }: Answer, { attempts }: Notice): boolean {
  return kind === 'failed' && pauseMs(attempts, 0) === null
}

interface Attempted {
  readonly answer: Answer
  /** The address has taken nothing for so long that nothing more is sent there. */
  readonly isDead: boolean
  readonly notice: Pick<Notice, 'attempts'>
  /** The sha-256 of the address; `null`: there was none. */
  readonly hash: string | null
  readonly atMs: number
  readonly random: number
}

/** What becomes of a notice after an attempt. */
export function verdictOf({ answer, isDead, notice, hash, atMs, random }: Attempted): NoticeVerdict {
  const { kind, note, askedMs } = answer
  const address = hash === null ? null : { hash, gone: kind === 'gone' || isDead }
  if (kind === 'delivered') return { state: 'delivered', note, atMs, address }
  const { attempts } = notice
  const pause = isTriedAgain(kind) ? pauseMs(attempts, random, askedMs) : null
  if (pause === null) {
    const why = isTriedAgain(kind) ? `${note}, and so ${attempts} times` : note
    const more = isDead ? '; others before it fared no better: the address is disabled' : ''
    return { state: 'given_up', note: why + more, atMs, address }
  }
  return {
    state: 'due',
    note: `${note}; attempt ${attempts}, next in ${durationText(pause)}`,
    nextAtMs: atMs + pause,
    atMs,
    address,
  }
}

function isTriedAgain(kind: Answer['kind']): boolean {
  return kind === 'failed' || kind === 'unsent'
}
