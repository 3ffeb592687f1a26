import type { Command } from 'commander'
import { mintApiKey, parseApiKey, SECRET_BYTES } from '../../access/api-key.ts'
import type { ApiKey, Scope } from '../../domain/access.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { secretBytes } from '../../runtime.ts'
import { durationMs, scope, several } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age } from '../figures.ts'
import { type Column, tableLines } from '../table.ts'
import { DEFAULT_TENANT_NAME, deedOf, tenantNamed, tenantNames, withService } from '../with-service.ts'

interface CreateFlags {
  readonly tenant: string
  readonly scope?: readonly Scope[]
  readonly expires?: number
}

/** A key may do the work of its tenant, and not change who else may. */
const USUAL_SCOPES: readonly Scope[] = ['submit', 'read', 'operate']

const COLUMNS: readonly Column[] = [
  { title: 'KEY' },
  { title: 'NAME', flexible: true },
  { title: 'TENANT', flexible: true },
  { title: 'MAY', flexible: true },
  { title: 'AGE', align: 'right' },
  { title: 'USED', align: 'right' },
  { title: 'STATE' },
]

/** `sluice key`: the keys by which callers of the HTTP API are known. */
export function addKeyCommand(program: Command, launch: Launch): void {
  const key = program.command('key').description('make, list and revoke keys of the HTTP API')
  key
    .command('list', { isDefault: true })
    .description('list keys, newest first; the default')
    .option('--tenant <name>', 'only those of this tenant')
    .action((flags: { readonly tenant?: string }) => launch((context) => list(context, flags.tenant)))
  key
    .command('create <name>')
    .description('make a key; it is shown this once')
    .option('--tenant <name>', 'whose key it is', DEFAULT_TENANT_NAME)
    .option(
      '--scope <scope>',
      'what it may do: submit, read, operate or admin; may be given several times',
      several(scope),
    )
    .option('--expires <time>', 'how long it works: 12h, 90d (default: until it is revoked)', durationMs)
    .action((name: string, flags: CreateFlags) => launch((context) => create(context, name, flags), { stdout: 'data' }))
  key
    .command('revoke <id>')
    .description('take a key back')
    .action((id: string) => launch((context) => revoke(context, parseApiKey(id)?.id ?? id)))
}

async function create(context: CommandContext, name: string, flags: CreateFlags): Promise<ExitCode> {
  const { runtime } = context.deps
  const scopes = [...new Set(flags.scope ?? USUAL_SCOPES)]
  return withService(context, async (service) => {
    const { tenantNo } = await tenantNamed(service, flags.tenant)
    const id = `key_${runtime.uuid()}`
    const { text, secretHash } = mintApiKey(id, secretBytes(SECRET_BYTES))
    const createdAtMs = runtime.now()
    const expiresAtMs = flags.expires === undefined ? null : createdAtMs + flags.expires
    const key = { id, tenantNo, name, scopes, secretHash, createdAtMs, expiresAtMs }
    const detail = `${name}: ${scopes.join(', ')}`
    await service.keys.add(key, deedOf(context, { action: 'key.create', subject: id, detail }))
    const made = keyJson({ ...key, revokedAtMs: null, usedAtMs: null }, flags.tenant)
    await context.output.data(context.json ? `${JSON.stringify({ ...made, key: text })}\n` : `${text}\n`)
    context.output.say(`${id} of tenant ${flags.tenant} may ${scopes.join(', ')}. The key is not shown again.`)
    return 0
  })
}

async function revoke(context: CommandContext, id: string): Promise<ExitCode> {
  return withService(context, async (service) => {
    const key = await service.keys.find(id)
    if (key === null) {
      throw new SluiceError('usage', `there is no key \`${id}\``, { hint: 'See `sluice key` for the ids of keys.' })
    }
    const deed = deedOf(context, { action: 'key.revoke', subject: id, detail: key.name })
    const revoked = await service.keys.revoke(key.tenantNo, id, deed.atMs, deed)
    context.note(revoked ? `${id} is revoked; servers hear of it within seconds.` : `${id} was revoked before.`)
    return 0
  })
}

async function list(context: CommandContext, tenant: string | undefined): Promise<ExitCode> {
  const { output, events, deps } = context
  return withService(context, async (service) => {
    const names = await tenantNames(service)
    const only = tenant === undefined ? null : (await tenantNamed(service, tenant)).tenantNo
    const keys = await service.keys.list(only)
    if (keys.length === 0) context.note('There is no key. Without one, servers listen on their own machine only.')
    for (const key of keys) events.line(keyJson(key, names.get(key.tenantNo) ?? ''))
    if (output.mode !== 'human' || keys.length === 0) return 0
    const rows = keys.map((key) => cells(key, names.get(key.tenantNo) ?? '', deps.runtime.now()))
    await output.data(`${tableLines(COLUMNS, rows, output.width(), output.style).join('\n')}\n`)
    return 0
  })
}

function cells(key: ApiKey, tenant: string, nowMs: number): string[] {
  const used = key.usedAtMs === null ? 'never' : age(nowMs - key.usedAtMs)
  const told = [key.id, key.name, tenant, key.scopes.join(', '), age(nowMs - key.createdAtMs), used]
  return [...told, stateText(key, nowMs)]
}

function stateText({ revokedAtMs, expiresAtMs }: ApiKey, nowMs: number): string {
  if (revokedAtMs !== null) return 'revoked'
  if (expiresAtMs === null) return 'works'
  return expiresAtMs <= nowMs ? 'ran out' : `${age(expiresAtMs - nowMs)} left`
}

function keyJson(key: ApiKey, tenant: string): { readonly type: 'key' } & Readonly<Record<string, unknown>> {
  const at = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  return {
    type: 'key',
    id: key.id,
    tenant,
    name: key.name,
    scopes: key.scopes,
    created_at: at(key.createdAtMs),
    expires_at: at(key.expiresAtMs),
    revoked_at: at(key.revokedAtMs),
    used_at: at(key.usedAtMs),
  }
}
