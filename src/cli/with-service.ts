import { NOTHING_ALLOWED } from '../domain/allowance.ts'
import type { Tenant } from '../domain/tenant.ts'
import { type ExitCode, SluiceError } from '../errors.ts'
import type { Service } from '../service.ts'
import type { Deed } from '../store/role/audit.ts'
import type { CommandContext } from './context.ts'

/** Opens the service for what is done about tenants, keys and the audit log, and closes it again, whatever becomes of that. */
export async function withService(
  { deps, config }: CommandContext,
  work: (service: Service) => Promise<ExitCode>,
): Promise<ExitCode> {
  const service = await deps.openService(config, NOTHING_ALLOWED)
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

/** The tenant of that name. Throws SluiceError `usage` where there is none. */
export async function tenantNamed(service: Service, name: string): Promise<Tenant> {
  const tenant = await service.tenants.byName(name)
  if (tenant !== null) return tenant
  throw new SluiceError('usage', `there is no tenant \`${name}\``, { hint: 'See `sluice tenant`.' })
}

/** What tenants are called, by their numbers. */
export async function tenantNames(service: Service): Promise<ReadonlyMap<number, string>> {
  return new Map((await service.tenants.list()).map(({ tenantNo, name }) => [tenantNo, name]))
}

/** The tenant that is always there. */
export const DEFAULT_TENANT_NAME = 'default'

/** What this command does to a tenant, or to something of it, as the audit log has it. `detail`: never a key. */
export function deedOf(
  { deps }: CommandContext,
  did: { readonly action: string; readonly subject: string; readonly detail: string | null },
): Deed {
  return { ...did, actor: 'cli', atMs: deps.runtime.now() }
}
