import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SCOPES } from '../../src/domain/access.ts'
import { bearer, openApi } from './api.ts'

const SECRET = 'a secret of thirty-two characters and more'
const JWT = 'jwt:\n  secret_env: JWT_SECRET\n  issuer: https://issuer.example\n  audience: sluice\n'

const sign = (claims: JWTPayload, alg = 'HS256', secret = SECRET) =>
  new SignJWT({ iss: 'https://issuer.example', aud: 'sluice', sub: 'ann', ...claims })
    .setProtectedHeader({ alg })
    .setExpirationTime(claims.exp ?? '5m')
    .sign(new TextEncoder().encode(secret))

describe('keys', () => {
  it('let in whom they name, into their own tenant, for what they are for', async () => {
    const { app, key, tenant } = await openApi()
    const other = await tenant('other')
    const reader = bearer(await key(['read'], other))
    expect((await app.inject({ url: '/api/v1/jobs', headers: reader })).statusCode).toBe(200)
    const audit = await app.inject({ url: '/api/v1/audit', headers: reader })
    expect(audit.statusCode).toBe(403)
    expect(audit.json()).toMatchObject({
      code: 'scope_missing',
      detail: 'this needs the scope admin; the key or token has read',
    })
    const admin = bearer(await key(['admin'], other))
    expect((await app.inject({ url: '/api/v1/audit', headers: admin })).statusCode).toBe(200)
    expect((await app.inject({ method: 'POST', url: '/api/v1/jobs', payload: {}, headers: admin })).statusCode).toBe(
      400,
    )
  })

  it('are refused when they are wrong, run out or revoked, and say in which way keys are sent', async () => {
    const { app, key, service, runtime } = await openApi()
    const good = await key()
    const ask = async (headers: Record<string, string>) => {
      const answer = await app.inject({ url: '/api/v1/jobs', headers })
      return {
        status: answer.statusCode,
        detail: answer.json<{ detail?: string }>().detail,
        with: answer.headers['www-authenticate'],
      }
    }
    const unauthorized = (detail: string) => ({
      status: 401,
      detail: expect.stringContaining(detail) as string,
      with: 'Bearer realm="sluice"',
    })
    expect(await ask({})).toEqual(unauthorized('names no key'))
    expect(await ask({ authorization: 'Basic YTpi' })).toEqual(unauthorized('must be sent as'))
    expect(await ask(bearer('slk_nonsense'))).toEqual(unauthorized('is not known'))
    expect(await ask(bearer(`${good.slice(0, -2)}xx`))).toEqual(unauthorized('is not known'))
    expect(await ask(bearer('eyJhbGciOiJub25lIn0.e30.'))).toEqual(unauthorized('is not known'))
    const expired = await key(SCOPES, 1, { expiresAtMs: runtime.now() - 1 })
    expect(await ask(bearer(expired))).toEqual(unauthorized('has run out'))
    const [newest] = await service.keys.list(1)
    const revoked = await key()
    const of = (await service.keys.list(1)).find(
      ({ id }) => id !== newest?.id && revoked.includes(id.replace('key_', '')),
    )
    await service.keys.revoke(null, of?.id ?? '', runtime.now())
    expect(await ask(bearer(revoked))).toEqual(unauthorized('was revoked'))
    expect((await ask(bearer(good))).status).toBe(200)
  })

  it('that are revoked work for five seconds more at the most', async () => {
    const clock = { ms: 0 }
    const { app, key, service, runtime } = await openApi({ runtime: { elapsed: () => clock.ms } })
    const text = await key()
    const status = async () => (await app.inject({ url: '/api/v1/jobs', headers: bearer(text) })).statusCode
    expect(await status()).toBe(200)
    await service.keys.revoke(null, (await service.keys.list(1))[0]?.id ?? '', runtime.now())
    clock.ms += 4_999
    expect(await status()).toBe(200)
    clock.ms += 1
    expect(await status()).toBe(401)
  })
})

describe('without any key', () => {
  const status = async (headers: Record<string, string>, remoteAddress = '127.0.0.1') => {
    const { app } = await openApi()
    return (await app.inject({ url: '/api/v1/jobs', headers, remoteAddress })).statusCode
  }

  it.each(['localhost:4777', '127.0.0.1:4777', '[::1]:4777'])(
    'whoever asks from this machine for %s may do all',
    async (host) => {
      expect(await status({ host })).toBe(200)
      expect(await status({ host, origin: `http://${host}`, authorization: 'Bearer sk-whatever' })).toBe(200)
    },
  )

  it('nobody else is let in: not from elsewhere, not by another name, not a page of another site', async () => {
    expect(await status({ host: 'localhost:4777' }, '10.0.0.7')).toBe(401)
    expect(await status({ host: 'sluice.example' })).toBe(401)
    expect(await status({ host: 'localhost:4777', origin: 'https://evil.example' })).toBe(401)
    expect(await status({ host: 'localhost:4777', origin: 'null' })).toBe(401)
  })

  it('stays closed once there was one, even a revoked one', async () => {
    const { app, key, service, runtime } = await openApi()
    await key()
    await service.keys.revoke(null, (await service.keys.list(1))[0]?.id ?? '', runtime.now())
    expect((await app.inject({ url: '/api/v1/jobs' })).statusCode).toBe(401)
  })
})

describe('tokens', () => {
  const withSecret = () => openApi({ config: JWT, env: { JWT_SECRET: SECRET } })

  it('name a tenant and scopes, and are written down by their subject', async () => {
    const { app, service, tenant } = await withSecret()
    const no = await tenant('team-a')
    const headers = bearer(await sign({ tenant: 'team-a', scope: 'submit read unknown' }))
    const spec = {
      version: 1,
      name: 'x',
      input: { source: 'a.csv' },
      model: { id: 'simulator/a' },
      prompt: { user: '{{ a }}' },
    }
    expect((await app.inject({ method: 'POST', url: '/api/v1/jobs', payload: { spec }, headers })).statusCode).toBe(201)
    expect((await app.inject({ url: '/api/v1/audit', headers })).statusCode).toBe(403)
    expect(await service.audit.list(no, { limit: 5 })).toMatchObject([{ action: 'job.create', actor: 'jwt:ann' }])
    const bare = bearer(await sign({ tenant: 'team-a' }))
    expect((await app.inject({ url: '/api/v1/jobs', headers: bare })).statusCode).toBe(403)
  })

  it.each([
    [
      'of another signer',
      () => sign({ tenant: 'default', scope: 'read' }, 'HS256', 'another secret of thirty-two characters'),
    ],
    ['with another algorithm', () => sign({ tenant: 'default', scope: 'read' }, 'HS512')],
    ['that have run out', () => sign({ tenant: 'default', scope: 'read', exp: 1_000 })],
    ['that are not valid yet', () => sign({ tenant: 'default', scope: 'read', nbf: 4_000_000_000 })],
    ['of another issuer', () => sign({ tenant: 'default', scope: 'read', iss: 'https://evil.example' })],
    ['for somebody else', () => sign({ tenant: 'default', scope: 'read', aud: 'billing' })],
    ['without a tenant', () => sign({ scope: 'read' })],
    ['of a tenant that is not there', () => sign({ tenant: 'nobody', scope: 'read' })],
    [
      'that never end',
      () =>
        new SignJWT({ iss: 'https://issuer.example', aud: 'sluice', tenant: 'default', scope: 'read' })
          .setProtectedHeader({ alg: 'HS256' })
          .sign(new TextEncoder().encode(SECRET)),
    ],
    [
      'that are signed by nobody',
      async () =>
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign({ tenant: 'default', scope: 'read' })).split('.')[1]}.`,
    ],
  ])('are refused %s', async (_what, token) => {
    const { app } = await withSecret()
    const answer = await app.inject({ url: '/api/v1/jobs', headers: bearer(await token()) })
    expect(answer.statusCode, answer.body).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="sluice"')
  })

  it('are checked against the public keys of their issuer, and never against those as a secret', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }
    const keys = createServer((_request, response) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] })),
    )
    await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void keys.close())
    const { port } = keys.address() as AddressInfo
    const { app, tenant } = await openApi({
      config: `jwt:\n  jwks_url: http://127.0.0.1:${port}/keys\n  default_scopes: [read]\n`,
    })
    await tenant('team-b')
    const claims = () => new SignJWT({ tenant: 'team-b' }).setExpirationTime('5m')
    const good = await claims().setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey)
    expect((await app.inject({ url: '/api/v1/jobs', headers: bearer(good) })).statusCode).toBe(200)
    const confused = await claims()
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(new TextEncoder().encode(JSON.stringify(jwk)))
    expect((await app.inject({ url: '/api/v1/jobs', headers: bearer(confused) })).statusCode).toBe(401)
  })

  it('cannot be judged while the keys of their issuer are not to be had: that is no fault of the caller', async () => {
    const keys = createServer((_request, response) => response.writeHead(500).end())
    await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void keys.close())
    const { port } = keys.address() as AddressInfo
    for (const at of [port, 1]) {
      const { app } = await openApi({ config: `jwt:\n  jwks_url: http://127.0.0.1:${at}/keys\n` })
      const { privateKey } = await generateKeyPair('ES256')
      const token = await new SignJWT({ tenant: 'default' })
        .setProtectedHeader({ alg: 'ES256' })
        .setExpirationTime('5m')
        .sign(privateKey)
      const answer = await app.inject({ url: '/api/v1/jobs', headers: bearer(token) })
      expect([answer.statusCode, answer.headers['retry-after']], answer.body).toEqual([503, '5'])
    }
  })
})

it('no test above left a door open that the routes do not know of: every route but the description and the operator’s asks who is there', async () => {
  const { app, key } = await openApi()
  await key()
  const routes = app.printRoutes({ commonPrefix: false })
  expect(routes).toContain('/api/v1')
  const paths = Object.entries(app.swagger().paths ?? {}).flatMap(([path, item]) =>
    Object.keys(item ?? {}).map((method) => ({ path, method })),
  )
  expect(paths.length).toBeGreaterThan(25)
  for (const { path, method } of paths) {
    const url = path.replace(/\{[^}]+\}/g, 'x1')
    const { statusCode } = await app.inject({ method: method.toUpperCase() as 'GET', url })
    expect([path, statusCode]).toEqual([path, path === '/api/v1/openapi.json' ? 200 : 401])
  }
})
