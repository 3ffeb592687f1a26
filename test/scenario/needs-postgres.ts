import { beforeEach } from 'vitest'
import { noPostgres } from '../postgres/database.ts'

/** Scenarios on PostgreSQL are skipped where there is none, and each says so. */
beforeEach((context) => {
  if (noPostgres !== null) context.skip(noPostgres)
})
