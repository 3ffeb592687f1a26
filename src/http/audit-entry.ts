import type { FastifyRequest } from 'fastify'
import type { HttpDeps } from './http-deps.ts'

/** Writes down that the caller of `request` did `action` to `subject`. `detail`: short, for people; never contents. */
export function audit(
  { service, runtime }: Pick<HttpDeps, 'service' | 'runtime'>,
  { principal }: Pick<FastifyRequest, 'principal'>,
  action: string,
  subject: string,
  detail: string | null = null,
): Promise<void> {
  const { tenantNo, actor } = principal
  return service.audit.add({ tenantNo, actor, action, subject, detail, atMs: runtime.now() })
}
