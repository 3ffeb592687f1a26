import type { Tenant, TenantCaps } from '../../domain/tenant.ts'
import type { Deed } from './audit.ts'

export interface Tenants {
  /** `null`: the name is taken. */
  add(name: string, caps: TenantCaps, atMs: number, deed?: Deed): Promise<Tenant | null>
  get(tenantNo: number): Promise<Tenant | null>
  byName(name: string): Promise<Tenant | null>
  /** By name. */
  list(): Promise<readonly Tenant[]>
  /** Caps that are not given stay. `false`: there is no such tenant. */
  set(tenantNo: number, caps: Partial<TenantCaps>, deed?: Deed): Promise<boolean>
}
