import type { Selectable } from 'kysely'
import type { TenantCaps } from '../domain/tenant.ts'
import type { TenantsTable } from './schema-service.ts'

/** In which column of `tenants` each cap stands. */
export const CAP_COLUMN = Object.freeze({
  jobs: 'max_jobs',
  chunks: 'max_chunks',
  concurrency: 'concurrency',
  tpm: 'tpm',
  dayNano: 'day_nano',
  monthNano: 'month_nano',
  weight: 'weight',
} as const satisfies Record<keyof TenantCaps, keyof TenantsTable>)

export type CapColumns = Pick<Selectable<TenantsTable>, (typeof CAP_COLUMN)[keyof TenantCaps]>

/** Those columns as the domain's caps. */
export function capsOf(row: CapColumns): TenantCaps {
  return {
    jobs: row.max_jobs,
    chunks: row.max_chunks,
    concurrency: row.concurrency,
    tpm: row.tpm,
    dayNano: row.day_nano,
    monthNano: row.month_nano,
    weight: row.weight,
  }
}
