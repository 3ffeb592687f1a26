import type { JobStatus } from '../engine.ts'
import { age, count, counted } from './figures.ts'
import { printable } from './terminal-text.ts'

type Batches = NonNullable<JobStatus['batches']>
type Shard = Batches['shards'][number]

/** A provider that said nothing for so long is said to be silent. */
const SILENT_MS = 10 * 60_000
/** Batches that are listed one by one. */
const LISTED = 12

/** What is in batches, in one line; `null`: nothing is. */
export function batchText({ packed, placed, answered, shards }: Batches, nowMs: number): string | null {
  if (packed + placed + answered === 0 && shards.length === 0) return null
  const parts: string[] = []
  if (shards.length > 0) {
    const done = shards.reduce((sum, { said }) => sum + (said?.succeeded ?? 0) + (said?.failed ?? 0), 0)
    const requests = shards.reduce((sum, shard) => sum + shard.requests, 0)
    parts.push(
      `${counted(shards.length, 'batch', 'batches')}: ${count(done)}/${count(requests)} answered (${states(shards)})`,
    )
  }
  if (packed > 0) parts.push(`${count(packed)} wait for a batch`)
  if (answered > 0) parts.push(`${count(answered)} came back`)
  const silent = Math.max(0, ...shards.map((shard) => silentMs(shard, nowMs)))
  if (silent >= SILENT_MS) parts.push(`silent for ${age(silent)}`)
  const unclear = shards.filter(({ state }) => state === 'unclear').length
  if (unclear > 0) parts.push(`${unclear} unclear: see sluice status`)
  return parts.join('   ')
}

/** Each batch in a line, for `sluice status`. */
export function batchLines({ shards }: Batches, nowMs: number): readonly string[] {
  const lines = shards.slice(0, LISTED).flatMap((shard) => {
    const { id, batchId, note } = shard
    const name = printable(batchId ?? `shard ${id}`)
    const facts = [name, standingOf(shard), `${doneText(shard)} ${shard.requests === 1 ? 'request' : 'requests'}`]
    if (shard.submittedAtMs !== null) facts.push(`sent ${age(nowMs - shard.submittedAtMs)} ago`)
    const silent = silentMs(shard, nowMs)
    if (silent >= SILENT_MS) facts.push(`silent for ${age(silent)}`)
    if (shard.cancelWantedMs !== null) facts.push('to be cancelled')
    const advice = shard.state === 'unclear' ? [`  ${UNCLEAR}`] : []
    return [facts.join('   '), ...(note === null ? [] : [`  ${printable(note)}`]), ...advice]
  })
  return shards.length > LISTED ? [...lines, `and ${count(shards.length - LISTED)} more`] : lines
}

const UNCLEAR =
  "Look at the provider's page for batches of this time, and say which it is: see `sluice batches`. It is not sent again until it is clear."

/** How a batch is called: by its provider, once that has it. */
export function batchName({ id, batchId }: Pick<Shard, 'id' | 'batchId'>): string {
  return batchId ?? id
}

/** How many of its requests are answered, as far as the provider says it. */
export function doneText(shard: Pick<Shard, 'said' | 'requests'>): string {
  return shard.said === null ? count(shard.requests) : `${count(answeredOf(shard))}/${count(shard.requests)}`
}

function states(shards: readonly Shard[]): string {
  return [...Map.groupBy(shards, standingOf)].map(([state, some]) => `${some.length} ${state}`).join(', ')
}

/** Where a batch stands: in the provider's words, where it has said something. */
export function standingOf({ state, said }: Pick<Shard, 'state' | 'said'>): string {
  if (state === 'submitted') return said?.phase ?? 'submitted'
  return state === 'ended' ? 'to be fetched' : state
}

function answeredOf({ said }: Pick<Shard, 'said'>): number {
  return (said?.succeeded ?? 0) + (said?.failed ?? 0)
}

function silentMs({ state, heardAtMs, submittedAtMs }: Shard, nowMs: number): number {
  return state === 'submitted' ? Math.max(0, nowMs - (heardAtMs ?? submittedAtMs ?? nowMs)) : 0
}
