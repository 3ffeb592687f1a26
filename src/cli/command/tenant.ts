import type { Command } from 'commander'
import { toUsd } from '../../domain/money.ts'
import { NO_CAPS, TENANT_NAME, type Tenant, type TenantCaps } from '../../domain/tenant.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { dollars, orNone, positiveInteger, share } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { count } from '../figures.ts'
import { type Column, tableLines } from '../table.ts'
import { deedOf, tenantNamed, withService } from '../with-service.ts'

type Cap = number | 'none'

/** Caps as flags name them; one that is not given is left as it is. */
interface CapFlags {
  readonly jobs?: Cap
  readonly chunks?: Cap
  readonly concurrency?: Cap
  readonly tpm?: Cap
  readonly usdPerDay?: Cap
  readonly usdPerMonth?: Cap
  readonly weight?: number
}

const COLUMNS: readonly Column[] = [
  { title: 'TENANT', flexible: true },
  { title: 'WEIGHT', align: 'right' },
  { title: 'JOBS', align: 'right' },
  { title: 'CHUNKS', align: 'right' },
  { title: 'CONCURRENCY', align: 'right' },
  { title: 'TPM', align: 'right' },
  { title: 'PER DAY', align: 'right' },
  { title: 'PER MONTH', align: 'right' },
]

/** `sluice tenant`: who shares the service, and what each may use of it. */
export function addTenantCommand(program: Command, launch: Launch): void {
  const tenant = program.command('tenant').description('say who shares the service, and how much each may use')
  tenant
    .command('list', { isDefault: true })
    .description('list tenants and their caps; the default')
    .action(() =>
      launch((context) => withService(context, async (service) => list(context, await service.tenants.list()))),
    )
  withCaps(tenant.command('add <name>').description('add a tenant; caps that are not given are none')).action(
    (name: string, flags: CapFlags) => launch((context) => add(context, name, flags)),
  )
  withCaps(tenant.command('set <name>').description('change caps of a tenant; the others stay')).action(
    (name: string, flags: CapFlags) => launch((context) => set(context, name, flags)),
  )
}

function withCaps(command: Command): Command {
  const number = orNone(positiveInteger)
  const sum = orNone(dollars)
  return command
    .option('--jobs <n>', 'the most jobs worked on at a time, or none', number)
    .option('--chunks <n>', 'the most chunks held at a time, or none', number)
    .option('--concurrency <n>', 'the most requests in flight, or none', number)
    .option('--tpm <n>', 'the most tokens a minute, or none', number)
    .option('--usd-per-day <usd>', 'what its jobs may cost in a UTC day, or none', sum)
    .option('--usd-per-month <usd>', 'what its jobs may cost in a UTC month, or none', sum)
    .option('--weight <n>', 'its share of what tenants fight for, from 1 to 1000', share)
}

async function add(context: CommandContext, name: string, flags: CapFlags): Promise<ExitCode> {
  if (!TENANT_NAME.test(name)) {
    throw new SluiceError('usage', `\`${name}\` cannot be the name of a tenant`, {
      hint: 'Take up to 63 lower-case letters, digits, `-` and `_`, the first a letter or a digit.',
    })
  }
  const caps = capsOf(flags)
  return withService(context, async (service) => {
    const deed = deedOf(context, { action: 'tenant.add', subject: name, detail: capsText(caps) })
    const tenant = await service.tenants.add(name, { ...NO_CAPS, ...caps }, deed.atMs, deed)
    if (tenant === null) {
      throw new SluiceError('usage', `there is a tenant \`${name}\` already`, {
        hint: 'Change it by `sluice tenant set`.',
      })
    }
    return list(context, [tenant])
  })
}

async function set(context: CommandContext, name: string, flags: CapFlags): Promise<ExitCode> {
  const caps = capsOf(flags)
  if (Object.keys(caps).length === 0) {
    throw new SluiceError('usage', 'nothing to change was named', { hint: 'Give a cap, such as --tpm 60000.' })
  }
  return withService(context, async (service) => {
    const { tenantNo, caps: before } = await tenantNamed(service, name)
    const deed = deedOf(context, { action: 'tenant.set', subject: name, detail: capsText(caps) })
    await service.tenants.set(tenantNo, caps, deed)
    return list(context, [{ tenantNo, name, caps: { ...before, ...caps } }])
  })
}

async function list({ output, events }: CommandContext, tenants: readonly Tenant[]): Promise<ExitCode> {
  for (const { name, caps } of tenants) events.line({ type: 'tenant', tenant: name, ...capsJson(caps) })
  if (output.mode === 'human') {
    await output.data(`${tableLines(COLUMNS, tenants.map(cells), output.width(), output.style).join('\n')}\n`)
  }
  return 0
}

function cells({ name, caps }: Tenant): string[] {
  const { weight, jobs, chunks, concurrency, tpm, usd_per_day, usd_per_month } = capsJson(caps)
  const numbers = [weight, jobs, chunks, concurrency, tpm].map((cap) => (cap === null ? '-' : count(cap)))
  return [name, ...numbers, ...[usd_per_day, usd_per_month].map((usd) => (usd === null ? '-' : `$${usd}`))]
}

/** Caps as JSON tells them. */
function capsJson({ weight, jobs, chunks, concurrency, tpm, dayNano, monthNano }: TenantCaps) {
  const usd = (nano: number | null) => (nano === null ? null : toUsd(nano))
  return { weight, jobs, chunks, concurrency, tpm, usd_per_day: usd(dayNano), usd_per_month: usd(monthNano) }
}

function capsOf({ usdPerDay: dayNano, usdPerMonth: monthNano, ...flags }: CapFlags): Partial<TenantCaps> {
  const given = Object.entries({ ...flags, dayNano, monthNano }).filter(([, cap]) => cap !== undefined)
  return Object.fromEntries(given.map(([name, cap]) => [name, cap === 'none' ? null : cap]))
}

/** `weight 4, usd_per_day 20`, for the audit log; `null`: nothing was set. */
function capsText(caps: Partial<TenantCaps>): string | null {
  const told = Object.entries(capsJson({ ...NO_CAPS, ...caps }))
  const given = told.filter(([name]) => (CAP_OF[name] ?? name) in caps)
  return given.map(([name, value]) => `${name} ${value ?? 'none'}`).join(', ') || null
}

const CAP_OF: Readonly<Record<string, keyof TenantCaps>> = { usd_per_day: 'dayNano', usd_per_month: 'monthNano' }
