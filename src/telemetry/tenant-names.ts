import type { Tenants } from '../store/role/tenants.ts'
import type { TenantLabel } from './work-figures.ts'

/**
 * Labels of tenants by their names; none where `tenants` is `null`. A name is looked up behind the scenes: until it is known, the figure counts for
 * `unknown`.
 */
export function createTenantNames(tenants: Pick<Tenants, 'get'> | null): TenantLabel {
  if (tenants === null) return () => NO_LABEL
  const names = new Map<number, string>()
  const asked = new Set<number>()
  const ask = async (tenantNo: number) => {
    const tenant = await tenants.get(tenantNo)
    if (tenant !== null) names.set(tenantNo, tenant.name)
  }
  return (tenantNo) => {
    const name = names.get(tenantNo)
    if (name === undefined && !asked.has(tenantNo)) {
      asked.add(tenantNo)
      // The store may be away: the next figure asks again.
      ask(tenantNo)
        .catch(() => undefined)
        .finally(() => asked.delete(tenantNo))
    }
    return { tenant: name ?? 'unknown' }
  }
}

const NO_LABEL = Object.freeze({})
