import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseApiKey, secretMatches } from '../../src/access/api-key.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { systemRuntime } from '../../src/runtime.ts'
import type { Service } from '../../src/service.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { CREATED_MS } from './fake-engine.ts'
import { cli } from './harness.ts'

const KEY_ID = 'key_01934f5e-0000-7000-8000-000000000000'

let dir: string
let store: SqliteStore
let closed: number
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-access-'))
  store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime: systemRuntime(), ballastBytes: 0 })
  closed = 0
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

/** A command line over a store of its own; each command opens the service, and is to close it. */
function overStore(tty: number | null = null) {
  const { tenants, keys, audit } = store
  const close = async () => {
    closed += 1
  }
  const service = { tenants, keys, audit, close } as unknown as Service
  return cli({}, { tty, more: { openService: async () => service } })
}

const sluice = async (...argv: string[]) => {
  const { run, events, out, err } = overStore()
  const code = await run(...argv)
  return { code, out: out(), err: err(), events: out().startsWith('{') ? events() : [] }
}

describe('sluice tenant', () => {
  it('adds a tenant with its caps, and writes that down', async () => {
    const added = await sluice('tenant', 'add', 'search', '--tpm', '60000', '--usd-per-day', '20.5', '--weight', '4')
    const told = { tenant: 'search', weight: 4, jobs: null, chunks: null, concurrency: null, tpm: 60_000 }
    expect(added.code).toBe(0)
    expect(added.events.slice(1)).toEqual([{ type: 'tenant', ...told, usd_per_day: 20.5, usd_per_month: null }])
    const caps = { ...NO_CAPS, tpm: 60_000, dayNano: 20_500_000_000, weight: 4 }
    expect(await store.tenants.byName('search')).toEqual({ tenantNo: 2, name: 'search', caps })
    expect(await store.audit.list(2, { limit: 9 })).toMatchObject([
      { actor: 'cli', action: 'tenant.add', subject: 'search', detail: 'weight 4, tpm 60000, usd_per_day 20.5' },
    ])
    expect(closed).toBe(1)
  })

  it('changes what is given, and takes a cap away', async () => {
    await sluice('tenant', 'add', 'search', '--jobs', '3', '--tpm', '60000')
    const set = await sluice('tenant', 'set', 'search', '--jobs', 'none', '--usd-per-month', '100')
    expect(set.events.slice(1)).toMatchObject([{ tenant: 'search', jobs: null, tpm: 60_000, usd_per_month: 100 }])
    const caps = { ...NO_CAPS, tpm: 60_000, monthNano: 100_000_000_000 }
    expect(await store.tenants.byName('search')).toMatchObject({ caps })
    const [entry] = await store.audit.list(2, { limit: 1 })
    expect(entry).toMatchObject({ action: 'tenant.set', detail: 'jobs none, usd_per_month 100' })
  })

  it('lists all, for people too', async () => {
    await sluice('tenant', 'add', 'search', '--concurrency', '1200')
    expect((await sluice('tenant')).events.slice(1)).toMatchObject([{ tenant: 'default' }, { tenant: 'search' }])
    const { run, out } = overStore(120)
    expect(await run('tenant', 'list')).toBe(0)
    expect(out()).toMatch(/^TENANT +WEIGHT +JOBS +CHUNKS +CONCURRENCY +TPM +PER DAY +PER MONTH\n/)
    expect(out()).toMatch(/^search +1 +- +- +1,200 +- +- +-$/m)
  })

  it.each([
    [['add', 'Search Team'], 'cannot be the name'],
    [['add', 'default'], 'there is a tenant `default` already'],
    [['set', 'nobody', '--jobs', '1'], 'there is no tenant `nobody`'],
    [['set', 'default'], 'nothing to change was named'],
    [['set', 'default', '--weight', '0'], 'Expected a whole number from 1'],
    [['set', 'default', '--weight', '1001'], 'from 1 to 1000'],
    [['set', 'default', '--tpm', 'many'], 'Expected a whole number'],
  ])('refuses %j with exit 2, and changes nothing', async (argv, what) => {
    const { code, err } = await sluice('tenant', ...argv)
    expect(code).toBe(2)
    expect(err).toContain(what)
    expect(await store.tenants.list()).toEqual([{ tenantNo: 1, name: 'default', caps: NO_CAPS }])
    expect(await store.audit.list(null, { limit: 9 })).toEqual([])
  })
})

describe('sluice key', () => {
  it('prints a key once, alone, and keeps only what proves it', async () => {
    const { code, out, err } = await sluice('key', 'create', 'ci')
    expect(code).toBe(0)
    const given = parseApiKey(out.trimEnd())
    expect(out).toBe(`slk_${KEY_ID.slice(4)}_${given?.secret}\n`)
    expect(err).toContain(`${KEY_ID} of tenant default may submit, read, operate. The key is not shown again.`)
    const kept = await store.keys.find(KEY_ID)
    expect(secretMatches(given!.secret, kept!.secretHash)).toBe(true)
    expect(kept).toMatchObject({ tenantNo: 1, name: 'ci', scopes: ['submit', 'read', 'operate'], expiresAtMs: null })
    const [entry] = await store.audit.list(1, { limit: 9 })
    expect(entry).toMatchObject({ actor: 'cli', action: 'key.create', subject: KEY_ID })
    for (const told of [err, JSON.stringify(kept), JSON.stringify(entry)]) expect(told).not.toContain(given!.secret)
  })

  it('makes keys for tenants, scopes and a time, as one line of JSON where asked', async () => {
    await sluice('tenant', 'add', 'search')
    const scopes = ['--scope', 'read', '--scope', 'admin', '--scope', 'read']
    const made = await sluice('--json', 'key', 'create', 'bot', '--tenant', 'search', ...scopes, '--expires', '2d')
    const [line, ...more] = made.events
    expect(more).toEqual([])
    const expires_at = new Date(CREATED_MS + 41_000 + 2 * 86_400_000).toISOString()
    expect(line).toMatchObject({ type: 'key', id: KEY_ID, tenant: 'search', scopes: ['read', 'admin'], expires_at })
    expect(parseApiKey(String(line?.key))?.id).toBe(KEY_ID)
    expect(await store.keys.find(KEY_ID)).toMatchObject({ tenantNo: 2, scopes: ['read', 'admin'] })
  })

  it('lists keys without what proves them, of one tenant or of all', async () => {
    expect((await sluice('key')).err).toContain('There is no key.')
    const { out } = await sluice('key', 'create', 'ci')
    await sluice('tenant', 'add', 'search')
    const { events } = await sluice('key', 'list')
    expect(events.slice(1)).toEqual([
      expect.objectContaining({
        type: 'key',
        id: KEY_ID,
        tenant: 'default',
        name: 'ci',
        revoked_at: null,
        used_at: null,
      }),
    ])
    expect(JSON.stringify(events)).not.toContain(parseApiKey(out.trimEnd())!.secret)
    expect((await sluice('key', '--tenant', 'search')).events.slice(1)).toMatchObject([{ type: 'note' }])
    const { run, out: table } = overStore(200)
    expect(await run('key')).toBe(0)
    expect(table()).toMatch(/^key_\S+ +ci +default +submit, read, operate +0 s +never +works$/m)
  })

  it('takes a key back, by its id or by itself, once', async () => {
    const { out } = await sluice('key', 'create', 'ci')
    expect((await sluice('key', 'revoke', out.trimEnd())).code).toBe(0)
    expect(await store.keys.find(KEY_ID)).toMatchObject({ revokedAtMs: CREATED_MS + 41_000 })
    const again = await sluice('key', 'revoke', KEY_ID)
    expect([again.code, again.err]).toEqual([0, expect.stringContaining('was revoked before')])
    const did = await store.audit.list(1, { limit: 9 })
    expect(did.map(({ action }) => action)).toEqual(['key.revoke', 'key.create'])
  })

  it.each([
    [['create', 'ci', '--tenant', 'nobody'], 'there is no tenant `nobody`'],
    [['create', 'ci', '--scope', 'all'], 'Scopes are: submit, read, operate, admin.'],
    [['revoke', 'key_1'], 'there is no key `key_1`'],
  ])('refuses %j with exit 2', async (argv, what) => {
    const { code, err } = await sluice('key', ...argv)
    expect(code).toBe(2)
    expect(err).toContain(what)
    expect(await store.keys.list(null)).toEqual([])
  })
})

describe('sluice audit', () => {
  it('says who did what, newest first, in one tenant, to one thing, or in all', async () => {
    expect((await sluice('audit')).err).toContain('Nothing was written down.')
    await sluice('tenant', 'add', 'search', '--weight', '2')
    await sluice('key', 'create', 'ci')
    const { events } = await sluice('audit')
    expect(events.slice(1)).toEqual([
      expect.objectContaining({ type: 'audit', tenant: 'default', action: 'key.create', subject: KEY_ID }),
      {
        type: 'audit',
        entry: 1,
        at: new Date(CREATED_MS + 41_000).toISOString(),
        tenant: 'search',
        actor: 'cli',
        action: 'tenant.add',
        subject: 'search',
        detail: 'weight 2',
      },
    ])
    const actions = async (...argv: string[]) =>
      (await sluice('audit', ...argv)).events.slice(1).map(({ action }) => action)
    expect(await actions('--tenant', 'search')).toEqual(['tenant.add'])
    expect(await actions('--subject', KEY_ID)).toEqual(['key.create'])
    expect(await actions('--limit', '1')).toEqual(['key.create'])
    const { run, out } = overStore(160)
    expect(await run('audit')).toBe(0)
    expect(out()).toMatch(/^ *0 s +search +cli +tenant\.add +search +weight 2$/m)
  })
})
