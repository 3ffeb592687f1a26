import type { FastifyRequest } from 'fastify'
import { parseApiKey, secretMatches } from '../access/api-key.ts'
import { type ApiKey, may, type Principal, SCOPES } from '../domain/access.ts'
import type { Tenant } from '../domain/tenant.ts'
import { SluiceError } from '../errors.ts'
import { DEFAULT_TENANT } from '../store/store.ts'
import type { HttpDeps } from './http-deps.ts'
import { createTokenCheck } from './jwt.ts'
import { asksFromHere } from './local.ts'
import { createSeenLately } from './seen-lately.ts'

/** How long a key or a tenant that was looked up is believed: so long a revoked key may still work. */
const BELIEVED_MS = 5_000

/**
 * Creates what says who asks, by `Authorization: Bearer` with a key or a token. Where no key was ever made and no tokens are taken, whoever asks from
 * this machine is the default tenant, and may do all. Throws SluiceError `unauthorized`.
 */
export function createAuth(deps: HttpDeps): (request: FastifyRequest) => Promise<Principal> {
  const { service, config, runtime } = deps
  const keyOf = createSeenLately((id) => findKey(deps, id), BELIEVED_MS, runtime)
  const tenantOf = createSeenLately((no) => service.tenants.get(Number(no)), BELIEVED_MS, runtime)
  const tenantNamed = createSeenLately((name) => service.tenants.byName(name), BELIEVED_MS, runtime)
  const anyKey = createSeenLately(async () => (await service.keys.list(null)).length > 0, BELIEVED_MS, runtime)
  const checkToken = config.jwt === null ? null : createTokenCheck(config.jwt, deps)

  const byKey = async (text: string): Promise<Principal> => {
    const given = parseApiKey(text)
    const key = given === null ? null : await keyOf(given.id)
    if (given === null || key === null || !secretMatches(given.secret, key.secretHash)) throw refused('is not known')
    if (key.revokedAtMs !== null) throw refused('was revoked')
    if (key.expiresAtMs !== null && key.expiresAtMs <= runtime.now()) throw refused('has run out')
    return principalOf(await tenantOf(String(key.tenantNo)), `key:${key.id}`, key.scopes)
  }
  const byToken = async (token: string): Promise<Principal> => {
    if (checkToken === null) throw refused('is not known')
    const { tenant, subject, scopes } = await checkToken(token)
    return principalOf(await tenantNamed(tenant), `jwt:${subject}`, scopes)
  }
  /** Whoever is on this machine, where no key was ever made and no tokens are taken; `null`: keys are asked for. */
  const byPlace = async (request: FastifyRequest): Promise<Principal | null> => {
    if (checkToken !== null || (await anyKey(''))) return null
    if (!asksFromHere(request)) {
      throw new SluiceError('unauthorized', 'without keys only this machine is served, under its own name')
    }
    return principalOf(await tenantOf(String(DEFAULT_TENANT)), 'local', SCOPES)
  }
  return async (request) => {
    const header = request.headers.authorization
    const token = header === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(header)?.[1]
    if (header !== undefined && token === undefined) throw refused('must be sent as `Authorization: Bearer …`')
    if (token?.startsWith('slk_')) return byKey(token)
    // Clients of OpenAI send some key whether one is asked for or not.
    const local = await byPlace(request)
    if (local !== null) return local
    if (token === undefined) {
      throw new SluiceError('unauthorized', 'the request names no key: send `Authorization: Bearer …`')
    }
    return byToken(token)
  }
}

/** Throws SluiceError `scope_missing` where the caller may not do what the route is for. */
export function assertScope(request: FastifyRequest): void {
  const { scope } = request.routeOptions.config
  if (scope === undefined || may(request.principal, scope)) return
  const has = request.principal.scopes.join(', ') || 'nothing'
  throw new SluiceError('scope_missing', `this needs the scope ${scope}; the key or token has ${has}`)
}

async function findKey({ service, runtime }: HttpDeps, id: string): Promise<ApiKey | null> {
  const key = await service.keys.find(id)
  // When a key was used last is for people: a store that cannot take it down now must not keep anybody out.
  if (key !== null) service.keys.touch(id, runtime.now()).catch(() => undefined)
  return key
}

function principalOf(tenant: Tenant | null, actor: string, scopes: Principal['scopes']): Principal {
  if (tenant === null) throw refused('is of a tenant that is not known here')
  return { tenantNo: tenant.tenantNo, tenantName: tenant.name, actor, scopes }
}

function refused(why: string): SluiceError {
  return new SluiceError('unauthorized', `the key or token ${why}`)
}
