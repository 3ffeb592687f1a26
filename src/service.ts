import type { Allowance } from './domain/allowance.ts'
import type { StoredFile } from './domain/stored-file.ts'
import type { FileDesk } from './engine/file-desk.ts'
import type { JobDesk } from './engine/job-desk.ts'
import type { JobPages } from './engine/job-pages.ts'
import type { OpenAiDesk } from './engine/openai-desk.ts'
import type { SpecDesk } from './engine/spec-desk.ts'
import type { TransferDesk } from './engine/transfer-desk.ts'
import type { Engine } from './engine.ts'
import type { Events } from './events.ts'
import type { Audit } from './store/role/audit.ts'
import type { Keys } from './store/role/keys.ts'
import type { Requests } from './store/role/requests.ts'
import type { Specs } from './store/role/specs.ts'
import type { Tenants } from './store/role/tenants.ts'

export type { FileDesk, FileRange } from './engine/file-desk.ts'
export type { CreateRequest, JobDesk } from './engine/job-desk.ts'
export type { BatchView, OpenAiDesk } from './engine/openai-desk.ts'
export type { Download, JobEvent, TransferDesk } from './engine/transfer-desk.ts'
export type { Allowance, StoredFile }

/**
 * What a server of many tenants works with: the engine as each of them sees it, and the little that is about all of them. Nothing of one tenant can be
 * read, changed or named through the verbs of another.
 */
export interface Service {
  readonly tenants: Tenants
  readonly keys: Keys
  readonly audit: Audit
  readonly requests: Requests
  /** Published specs. */
  readonly specs: Pick<Specs, 'publish' | 'version' | 'versions' | 'published'>
  /** What happens in this process; for metrics and logs. */
  readonly events: Events
  /** What specs that come over the network may name. */
  readonly allowance: Allowance
  /** The engine as this tenant sees it. Its `workAny` works for all tenants. Not to be closed. */
  engine(tenantNo: number): Engine
  jobs(tenantNo: number): JobDesk
  pages(tenantNo: number): JobPages
  specDesk(tenantNo: number): SpecDesk
  files(tenantNo: number): FileDesk
  /** Batches as OpenAI knows them. */
  openAi(tenantNo: number): OpenAiDesk
  /** What goes into jobs and comes out of them over the network. */
  transfers(tenantNo: number): TransferDesk
  /** Resolves where the store answers and its tables are those of this sluice; rejects with what is wrong. */
  checkReady(): Promise<void>
  close(): Promise<void>
}
