import type { Command } from 'commander'
import type { ExitCode } from '../../errors.ts'
import { positiveInteger } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age } from '../figures.ts'
import { type Column, tableLines } from '../table.ts'
import { tenantNamed, tenantNames, withService } from '../with-service.ts'

interface AuditFlags {
  readonly tenant?: string
  readonly subject?: string
  readonly limit: number
}

const COLUMNS: readonly Column[] = [
  { title: 'AGE', align: 'right' },
  { title: 'TENANT', flexible: true },
  { title: 'WHO', flexible: true },
  { title: 'DID' },
  { title: 'TO', flexible: true },
  { title: 'DETAIL', flexible: true },
]

/** `sluice audit`: who did what. */
export function addAuditCommand(program: Command, launch: Launch): void {
  program
    .command('audit')
    .description('list who did what, newest first')
    .option('--tenant <name>', 'only in this tenant')
    .option('--subject <id>', 'only what was done to this: a job, a key, a file, a tenant')
    .option('--limit <n>', 'how many to list at most', positiveInteger, 50)
    .action((flags: AuditFlags) => launch((context) => audit(context, flags)))
}

async function audit(context: CommandContext, { tenant, subject, limit }: AuditFlags): Promise<ExitCode> {
  const { output, events, deps } = context
  return withService(context, async (service) => {
    const names = await tenantNames(service)
    const only = tenant === undefined ? null : (await tenantNamed(service, tenant)).tenantNo
    const found = await service.audit.list(only, { limit, ...(subject !== undefined && { subject }) })
    const entries = found.map((entry) => ({ ...entry, tenant: names.get(entry.tenantNo) ?? '' }))
    if (entries.length === 0) context.note('Nothing was written down.')
    for (const { entryNo, tenant: name, actor, action, subject: to, detail, atMs } of entries) {
      const at = new Date(atMs).toISOString()
      events.line({ type: 'audit', entry: entryNo, at, tenant: name, actor, action, subject: to, detail })
    }
    if (output.mode !== 'human' || entries.length === 0) return 0
    const nowMs = deps.runtime.now()
    const rows = entries.map((each) => [
      age(nowMs - each.atMs),
      each.tenant,
      each.actor,
      each.action,
      each.subject,
      each.detail ?? '',
    ])
    await output.data(`${tableLines(COLUMNS, rows, output.width(), output.style).join('\n')}\n`)
    return 0
  })
}
