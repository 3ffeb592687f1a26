import type { ApiKey } from '../../domain/access.ts'
import type { Deed } from './audit.ts'

export interface Keys {
  add(key: Omit<ApiKey, 'revokedAtMs' | 'usedAtMs'>, deed?: Deed): Promise<void>
  /** By its id, which every request names; revoked and expired ones are found too. */
  find(id: string): Promise<ApiKey | null>
  /** Of one tenant, newest first; `null`: of all. */
  list(tenantNo: number | null): Promise<readonly ApiKey[]>
  /** Of one tenant; `null`: of any. `false`: there is none of that id, or it was revoked before. */
  revoke(tenantNo: number | null, id: string, atMs: number, deed?: Deed): Promise<boolean>
  /** Notes that it was used; written at most once a minute for a key. */
  touch(id: string, atMs: number): Promise<void>
  /** Whether there is any key that works, of any tenant. */
  any(nowMs: number): Promise<boolean>
}
