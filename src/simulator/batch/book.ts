import { drawOf, nameOf } from '../draw.ts'
import type { RequestLog } from '../request-log.ts'
import type { House } from '../visit.ts'
import type { BookRow } from './answer-rows.ts'
import type { Batch, BatchProvider, NewFile, StoredFile } from './batch.ts'
import { type BatchFailure, type BatchPhase, cancelCourse, phaseOf, planCourse } from './course.ts'
import { Cut, type Refused } from './exchange.ts'
import type { LineFormat } from './line-format.ts'
import { type FullQueue, fullQueue } from './queue.ts'
import type { Shelf } from './shelf.ts'
import type { Survey } from './survey.ts'
import { createWorks } from './works.ts'

/** A batch as it is asked for. */
export interface NewBatch {
  readonly provider: BatchProvider
  readonly format: LineFormat
  readonly input: StoredFile
  readonly survey: Survey
  readonly model: string
  readonly endpoint: string
  readonly shard: string | null
  readonly told: Readonly<Record<string, unknown>>
  readonly isInline: boolean
  /** How its provider forms ids, of 32 hexadecimal digits. */
  readonly id: (digits: string) => string
  /** It may run so long, on its own clock. */
  readonly windowMs: number
  /** What comes of it where the queue is full: a batch that fails, or (thrown) none at all. */
  readonly whenFull: (queue: FullQueue) => BatchFailure
  /** The provider says at once what makes a batch fail as a whole. @default the batch says it */
  readonly refuse?: (failure: BatchFailure) => Refused
}

/** All files and batches there are. */
export interface Book {
  readonly house: House
  readonly shelf: Shelf
  /** Takes a file in, under an id as its provider forms them. */
  keep(file: NewFile): StoredFile
  file(id: string): StoredFile | null
  drop(file: StoredFile): Promise<void>
  /** 32 hexadecimal digits that no other name here has. */
  digits(): string
  /** Throws `Cut` where the caller shall not hear of it, and `Refused` where nothing came of it. */
  create(asked: NewBatch): Batch
  batch(provider: BatchProvider, id: string): Batch | null
  /** Newest first. */
  list(provider: BatchProvider): readonly Batch[]
  all(): readonly Batch[]
  cancel(batch: Batch): void
  phase(batch: Batch): BatchPhase
  /** When it ended; `null`: it has not. */
  endedMs(batch: Batch): number | null
  /** Create calls by shard, heard or not. */
  readonly calls: ReadonlyMap<string, number>
  /** Whether answers are being worked out. */
  isWorking(): boolean
  /** Resolves when all is worked out whose time has come. */
  settled(): Promise<void>
  logTo(log: RequestLog): void
  close(): Promise<void>
}

/** How providers name files. */
const FILE_IDS: Readonly<Record<BatchProvider, (digits: string) => string>> = {
  openai: (digits) => `file-${digits.slice(0, 22)}`,
  anthropic: (digits) => `file_${digits}`,
  gemini: (digits) => `files/${digits.slice(0, 12)}`,
  mistral: uuidOf,
}

/** Digits in the form of a UUID. */
export function uuidOf(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** An empty book. What batches cost goes to `bill` as it is worked out. */
export function createBook(house: House, shelf: Shelf, bill: BookRow): Book {
  const { options } = house
  const files = new Map<string, StoredFile>()
  const batches = new Map<string, Batch>()
  const calls = new Map<string, number>()
  const askedBefore = new Map<string, number>()
  let log: RequestLog | null = null
  let named = 0
  const book: BookRow = (record, body) => {
    bill(record, body)
    log?.(record, body, false)
  }
  const digits = () => {
    named += 1
    return nameOf(`${options.seed} ${options.nowMs()} ${named}`).slice(0, 32)
  }
  const keep: Book['keep'] = (file) => {
    const id = FILE_IDS[file.provider](digits())
    const kept = { ...file, id, createdMs: options.nowMs(), served: 0, isDeleted: false }
    files.set(kept.id, kept)
    return kept
  }
  const works = createWorks(house, shelf, book, keep)
  const roomFor = (asked: NewBatch) => fullQueue(options.batches, [...batches.values()], asked, options.nowMs())

  const create = (asked: NewBatch): Batch => {
    const { survey, shard } = asked
    const nth = (askedBefore.get(survey.content) ?? 0) + 1
    askedBefore.set(survey.content, nth)
    if (shard !== null) calls.set(shard, (calls.get(shard) ?? 0) + 1)
    const { createCut, createLost } = options.batches
    const heard = drawOf(options.seed, survey.content, 'create', nth)()
    if (heard < createCut) throw new Cut('before the batch was there')
    const full = survey.failures.length > 0 ? null : roomFor(asked)
    const failure = survey.failures[0] ?? (full === null ? null : asked.whenFull(full))
    const draw = drawOf(options.seed, survey.content, 'course', nth)
    const course = planCourse(options.batches, options.nowMs(), asked.windowMs, failure, draw)
    if (course.failure !== null && asked.refuse !== undefined) throw asked.refuse(course.failure)
    const batch = newBatch(asked, asked.id(digits()), nth, course)
    batches.set(batch.id, batch)
    works.watch(batch)
    if (heard < createCut + createLost) throw new Cut('after the batch was there')
    return batch
  }

  const phase = (batch: Batch) => {
    works.watch(batch)
    return phaseOf(batch.course, options.nowMs(), batch.workedMs !== null)
  }
  return Object.freeze({
    house,
    shelf,
    calls,
    keep,
    digits,
    create,
    phase,
    file: (id: string) => {
      const file = files.get(id)
      return file === undefined || file.isDeleted ? null : file
    },
    drop: async (file: StoredFile) => {
      file.isDeleted = true
      const isNeeded = [...batches.values()].some((batch) => batch.input === file && batch.workedMs === null)
      if (!isNeeded) await shelf.remove(file.path)
    },
    batch: (provider: BatchProvider, id: string) => {
      const batch = batches.get(id)
      return batch === undefined || batch.provider !== provider || batch.isDeleted ? null : batch
    },
    list: (provider: BatchProvider) =>
      [...batches.values()].filter((batch) => batch.provider === provider && !batch.isDeleted).reverse(),
    all: () => [...batches.values()],
    cancel: (batch: Batch) => {
      works.watch(batch)
      batch.course = cancelCourse(batch.course, options.batches, options.nowMs())
      works.watch(batch)
    },
    endedMs: (batch: Batch) => (phase(batch) === 'ended' ? Math.max(batch.course.doneMs, batch.workedMs ?? 0) : null),
    isWorking: works.isWorking,
    settled: () => works.settled([...batches.values()]),
    logTo: (to: RequestLog) => {
      log = to
    },
    close: async () => {
      await works.close()
      shelf.close()
    },
  })
}

function newBatch(asked: NewBatch, id: string, nth: number, course: Batch['course']): Batch {
  const { provider, format, input, survey, model, endpoint, shard, told, isInline } = asked
  return {
    ...{ provider, format, input, survey, model, endpoint, shard, told, isInline, id, nth, course },
    workedMs: course.end === 'failed' ? course.doneMs : null,
    counts: { succeeded: 0, failed: 0, expired: 0, cancelled: 0, missing: 0 },
    sums: { billed: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0, costNano: 0 },
    output: null,
    errors: null,
    isDeleted: false,
  }
}
