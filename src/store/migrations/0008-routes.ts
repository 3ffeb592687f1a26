import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The way that a job of `lane: auto` takes. */
export function routes(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('jobs').addColumn('route', 'text').execute()
      await sql`create index jobs_routed on jobs (job_no) where route is not null and state in ('queued', 'running')`.execute(
        db,
      )
    },
  }
}
