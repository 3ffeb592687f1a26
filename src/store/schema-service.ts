import type { Generated } from 'kysely'
import type { FilePurpose, StoredFile } from '../domain/stored-file.ts'

/** Whoever shares the service: its caps are `TenantCaps`, `null` where there is none. */
export interface TenantsTable {
  tenant_no: number
  name: string
  /** Chunks of the tenant that may be held at a time, over all workers. */
  max_chunks: number | null
  /** What its jobs may cost in a UTC day, and in a UTC month. */
  day_nano: Generated<number | null>
  month_nano: Generated<number | null>
  max_jobs: Generated<number | null>
  concurrency: Generated<number | null>
  tpm: Generated<number | null>
  weight: Generated<number>
  /** `null`: it was there before tenants had a time. */
  created_at_ms: Generated<number | null>
}

export interface ApiKeysTable {
  key_id: string
  tenant_no: number
  name: string
  /** A list as JSON. */
  scopes: string
  secret_hash: string
  created_at_ms: number
  expires_at_ms: number | null
  revoked_at_ms: number | null
  used_at_ms: number | null
}

export interface AuditTable {
  entry_no: Generated<number>
  tenant_no: number
  actor: string
  action: string
  subject: string
  detail: string | null
  at_ms: number
}

export interface FilesTable {
  file_id: string
  tenant_no: number
  purpose: FilePurpose
  name: string
  state: StoredFile['state']
  /** The sum of its parts. */
  bytes: Generated<number>
  sha256: string | null
  note: string | null
  created_at_ms: number
  expires_at_ms: number | null
}

export interface FilePartsTable {
  file_id: string
  byte_offset: number
  bytes: number
  blob_key: string
}

/** Keys of requests, each with the one request that it stands for. */
export interface RequestsTable {
  tenant_no: number
  request_key: string
  fingerprint: string
  subject: string
  created_at_ms: number
  /** When somebody set about it last; `null`: it was given back. */
  taken_at_ms: number | null
  status: number | null
  headers: string | null
  body: string | null
  answered_at_ms: number | null
}

export interface OpenAiBatchesTable {
  batch_id: string
  tenant_no: number
  job_no: number | null
  input_file_id: string
  endpoint: string
  completion_window: string
  model: string | null
  files_kept_ms: number | null
  metadata: string | null
  notify: string | null
  created_at_ms: number
  expires_at_ms: number
  output_file_id: string | null
  error_file_id: string | null
  errors: string | null
  failed_at_ms: number | null
  cancelling_at_ms: number | null
  expired_at_ms: number | null
  files_at_ms: number | null
}

export interface SpecVersionsTable {
  tenant_no: number
  name: string
  version: number
  hash: string
  source: string
  created_at_ms: number
}
