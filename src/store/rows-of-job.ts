import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'

/** The bucket of a job, as a part of a query on its rows. */
export function bucketOf(db: Kysely<Database>, jobNo: number) {
  return db.selectFrom('jobs').select('bucket').where('job_no', '=', jobNo)
}

/** A query on the outcomes of one job. */
export function rowsOf(db: Kysely<Database>, jobNo: number) {
  return db
    .selectFrom('rows')
    .where('bucket', '=', bucketOf(db, jobNo))
    .where('job_no', '=', jobNo)
    .where('step', '=', 0)
}

/** A query on its failed and cancelled ones. As long as it asks for nothing but index, cause and state, it reads no other rows. */
export function deadRowsOf(db: Kysely<Database>, jobNo: number) {
  return rowsOf(db, jobNo).where('cause', 'is not', null)
}
