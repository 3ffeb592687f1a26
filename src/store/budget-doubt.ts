import { type Kysely, sql } from 'kysely'
import type { Amount } from '../domain/budget.ts'
import type { Database } from './schema.ts'

/** Notes with a job what may have been billed for it, and that no worker and no part answers for any more. */
export async function keepDoubt(db: Kysely<Database>, jobNo: number, { nano, tokens }: Amount): Promise<void> {
  if (nano + tokens === 0) return
  await db
    .updateTable('jobs')
    .set({ doubt_nano: sql`doubt_nano + ${nano}`, doubt_tokens: sql`doubt_tokens + ${tokens}` })
    .where('job_no', '=', jobNo)
    .execute()
}
