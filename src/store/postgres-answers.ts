import { hashText } from './bytes.ts'
import type { AnswerTake } from './database.ts'
import { type BatchColumn, batch, given } from './postgres-batch.ts'
import type { Session } from './postgres-session.ts'

const ANSWERS: readonly BatchColumn[] = [
  ['answer_key', 'bytea'],
  ['job_no', 'int8'],
  ['row_index', 'int8'],
  ['chunk_no', 'int4'],
  ['epoch', 'int4'],
]
const SOURCE = ANSWERS.slice(1)
const SEEN: readonly BatchColumn[] = [...ANSWERS, ...SOURCE.map(([name, type]): BatchColumn => [`seen_${name}`, type])]

const insert = batch(
  'take answers',
  ANSWERS,
  `insert into answers (${ANSWERS.map(([name]) => name).join(', ')}) select * from ${given(ANSWERS)}
   on conflict (answer_key) do nothing returning answer_key`,
)
/** Only from whom they were seen with: who looked at the same time and came first keeps what he took. */
const takeOver = batch(
  'take answers over',
  SEEN,
  `update answers set ${SOURCE.map(([name]) => `${name} = given.${name}`).join(', ')}
   from ${given(SEEN)} where answers.answer_key = given.answer_key
   and ${SOURCE.map(([name]) => `answers.${name} = given.seen_${name}`).join(' and ')}
   returning answers.answer_key`,
)

/** Takes answers by at most two statements, in the order of their keys, which all keep; returns those that nobody else was quicker to take. */
export async function takeAnswers<T extends AnswerTake>(session: Session, takes: readonly T[]): Promise<readonly T[]> {
  const inOrder = takes.toSorted((a, b) => Buffer.compare(a.key, b.key))
  const fresh = inOrder.filter((take) => take.seen === null).map(valuesOf)
  const seen = inOrder.flatMap((take) => (take.seen === null ? [] : [[...valuesOf(take), ...sourceOf(take.seen)]]))
  const inserted = await insert.run<{ answer_key: Uint8Array }>(session, fresh)
  const updated = await takeOver.run<{ answer_key: Uint8Array }>(session, seen)
  const keys = new Set([...inserted, ...updated].map((row) => hashText(row.answer_key)))
  return takes.filter((take) => keys.has(hashText(take.key)))
}

function valuesOf({ key, by }: AnswerTake): readonly unknown[] {
  return [key, ...sourceOf(by)]
}

function sourceOf({ jobNo, rowIndex, chunkNo, epoch }: AnswerTake['by']): readonly unknown[] {
  return [jobNo, rowIndex, chunkNo, epoch]
}
