import { BadRequest } from '../ask.ts'
import { type Draw, drawOf, nameOf } from '../draw.ts'
import { drawFault, type Fault } from '../fault.ts'
import type { RequestRecord } from '../request-log.ts'
import { applicable, serve } from '../serve.ts'
import { type House, recordOf, refused, type Visit } from '../visit.ts'
import type { Batch } from './batch.ts'
import type { BatchRow } from './line-format.ts'
import { createLinePile, type LinePile } from './line-pile.ts'
import { linesOf, type Shelf } from './shelf.ts'

/** Takes down a request of a batch and its body; what is billed is billed by it. */
export type BookRow = (record: RequestRecord, body: string) => void

/** What may happen to one row of a batch, in the order in which it is drawn. */
const FATES = ['rowError', 'missing', 'doubled', 'garbage'] as const
type Fate = (typeof FATES)[number]

/** Faults that show in an answer; a batch's requests meet no others. */
const SHOWN: ReadonlySet<Fault> = new Set([
  'malformed',
  'schema_missing',
  'truncated',
  'refusal',
  'content_filter',
] satisfies Fault[])

/** Where the lines of a batch's results have been written; `null`: there are none. */
export interface RowFiles {
  readonly output: { readonly path: string; readonly bytes: number } | null
  readonly errors: { readonly path: string; readonly bytes: number } | null
}

/**
 * Answers the requests of a batch whose time has come, as they would be answered by themselves, and writes its results. It goes on in small steps:
 * nobody else has to wait for it. Counts and sums of the batch are kept as it goes.
 */
export async function answerRows(house: House, batch: Batch, shelf: Shelf, book: BookRow): Promise<RowFiles> {
  const { course, format, nth, survey } = batch
  const { seed, batches: options } = house.options
  const order = options.shuffled ? drawOf(seed, survey.content, 'order', nth) : null
  const output = createLinePile(shelf, order)
  const errors = format.splitsErrors ? createLinePile(shelf, order) : output
  let lineNo = 0
  for await (const line of linesOf(shelf.read(batch.input.path))) {
    lineNo += 1
    const row = format.read(line.toString(), batch)
    const hadItsTurn = course.share >= 1 || drawOf(seed, survey.content, 'pace', nth, lineNo)() < course.share
    if (hadItsTurn) await answerRow({ house, batch, book, output, errors }, row)
    else await passOver(house, batch, row, errors)
  }
  return { output: await output.end(), errors: errors === output ? null : await errors.end() }
}

async function passOver(house: House, batch: Batch, row: BatchRow, errors: LinePile): Promise<void> {
  const { end } = batch.course
  batch.counts[end === 'expired' ? 'expired' : 'cancelled'] += 1
  house.arrived += 1
  const line = batch.format.unasked(row, house.arrived, end)
  if (line !== null) await errors.add(line)
}

interface Desk {
  readonly house: House
  readonly batch: Batch
  readonly book: BookRow
  readonly output: LinePile
  readonly errors: LinePile
}

async function answerRow(desk: Desk, row: BatchRow): Promise<void> {
  const { house, batch } = desk
  const { options, asked, countsAsks } = house
  const { counts, format } = batch
  house.arrived += 1
  const seq = house.arrived
  const body = JSON.stringify(row.body)
  const name = nameOf(body)
  const request = { method: 'POST', path: row.path, headers: {}, body }
  const place = { batch: batch.id, customId: row.customId }
  const visit: Visit = { house, request, seq, shape: format.shape(row), place, bodyName: () => name }
  const count = countsAsks ? asked.next(name) : 1
  const draw = drawOf(options.seed, name, 'row', count)
  const fate = fateOf(options.batches, draw)
  if (fate === 'rowError') {
    counts.failed += 1
    const { line, status } = format.failure(row, seq, batch, draw)
    desk.book({ ...recordOf(visit, batch.model, status), fault: 'row_error' }, body)
    await desk.errors.add(line)
    return
  }
  const reply = answerOf(visit, row, batch.model, count)
  const isOk = reply.status === 200
  const isLost = fate === 'missing' || fate === 'garbage'
  const record = isLost ? unbilled(reply.record, fate) : reply.record
  counts[isOk ? 'succeeded' : 'failed'] += 1
  if (isLost) counts.missing += 1
  add(batch, record)
  desk.book(record, body)
  const line = format.result(row, { status: reply.status, body: reply.body, seq }, batch)
  const pile = isOk ? desk.output : desk.errors
  if (fate !== 'missing') await pile.add(fate === 'garbage' ? line.slice(0, Math.floor(line.length * draw())) : line)
  if (fate === 'doubled') await pile.add(line)
}

/** What the live endpoint would say to a request, apart from its limits and its outages. */
function answerOf(visit: Visit, row: BatchRow, model: string, count: number) {
  const { options } = visit.house
  const reply = (() => {
    try {
      const ask = visit.shape.read({ model, ...row.body }, row.path)
      const { inputTokens } = ask
      if (options.contextTokens !== null && inputTokens > options.contextTokens)
        return refused(visit, model, { kind: 'context_too_long', inputTokens, limit: options.contextTokens })
      const drawn = drawFault(options.faults, options.seed, visit.bodyName, count)
      const fault = drawn !== null && SHOWN.has(drawn) ? applicable(drawn, ask) : null
      return serve(visit, ask, fault, 0, count)
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error
      return refused(visit, model, { kind: 'bad_request', message: error.message, param: error.param })
    }
  })()
  if (reply.kind !== 'response') throw new Error('a request of a batch has no connection that could break')
  return reply
}

function fateOf(options: Readonly<Record<Fate, number>>, draw: Draw): Fate | null {
  let at = draw()
  for (const fate of FATES) {
    at -= options[fate]
    if (at < 0) return fate
  }
  return null
}

/** Nobody can tell what was lost: it is not charged. */
function unbilled(record: RequestRecord, fault: string): RequestRecord {
  const nothing = { inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0, costNano: 0 }
  return { ...record, ...nothing, fault, billed: false }
}

function add({ sums }: Batch, record: RequestRecord): void {
  if (!record.billed) return
  sums.billed += 1
  sums.inputTokens += record.inputTokens
  sums.cachedTokens += record.cachedTokens
  sums.outputTokens += record.outputTokens
  sums.costNano += record.costNano
}
