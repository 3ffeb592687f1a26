import type { Command } from 'commander'
import type { Notice } from '../../domain/notice.ts'
import type { Engine } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { positiveInteger } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age } from '../figures.ts'
import { type Column, tableLines } from '../table.ts'
import { tenantNamed, withService } from '../with-service.ts'

interface NotifyFlags {
  readonly list?: boolean
  readonly send?: boolean
  readonly replay?: string
  readonly limit: number
  readonly tenant?: string
}

const COLUMNS: readonly Column[] = [
  { title: 'NOTIFICATION' },
  { title: 'EVENT' },
  { title: 'TO', flexible: true },
  { title: 'STATE' },
  { title: 'TRIES', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'LATEST', flexible: true },
]

/** `sluice notify`: what jobs have to tell, and what became of it. */
export function addNotifyCommand(program: Command, launch: Launch): void {
  program
    .command('notify')
    .description('list what jobs have told and have to tell, and send it')
    .option('--list', 'list, newest first; the default')
    .option('--send', 'make an attempt now for each that is due')
    .option('--replay <id>', 'send this one anew, whatever became of it')
    .option('--limit <n>', 'how many to list at most', positiveInteger, 20)
    .option('--tenant <name>', 'of jobs of this tenant (default: default)')
    .action((flags: NotifyFlags) => launch((context) => notify(context, flags)))
}

async function notify(context: CommandContext, flags: NotifyFlags): Promise<ExitCode> {
  if ([flags.list, flags.send, flags.replay].filter((each) => each !== undefined).length > 1) {
    throw new SluiceError('usage', '--list, --send and --replay are three different things', { hint: 'Give one.' })
  }
  const { tenant } = flags
  if (tenant === undefined) return notifyBy(context, flags, await context.engine())
  return withService(context, async (service) => {
    const { tenantNo } = await tenantNamed(service, tenant)
    return notifyBy(context, flags, service.engine(tenantNo))
  })
}

async function notifyBy(context: CommandContext, flags: NotifyFlags, engine: Engine): Promise<ExitCode> {
  const { stop } = context.interruption
  if (flags.replay !== undefined) {
    const sent = await engine.replayNotice(flags.replay, stop)
    await show(context, [sent])
    return sent.state === 'delivered' ? 0 : 1
  }
  if (flags.send === true) {
    const attempts = await engine.sendNotices(stop)
    context.note(attempts === 0 ? 'Nothing is due.' : `${attempts} sent, or tried:`)
    if (attempts === 0) return 0
  }
  const notices = await engine.notices({ limit: flags.limit })
  if (notices.length === 0) context.note('No job has had anything to tell.')
  await show(context, notices)
  return 0
}

async function show({ output, events, deps }: CommandContext, notices: readonly Notice[]): Promise<void> {
  for (const notice of notices) events.line(noticeEvent(notice))
  if (output.mode !== 'human' || notices.length === 0) return
  const rows = notices.map((notice) => cells(notice, deps.runtime.now()))
  await output.data(`${tableLines(COLUMNS, rows, output.width(), output.style).join('\n')}\n`)
}

function cells(notice: Notice, nowMs: number): string[] {
  const { id, type, target, state, attempts, createdAtMs, note } = notice
  const told = [id, type, targetText(target), state.replace('_', ' '), String(attempts), age(nowMs - createdAtMs)]
  return [...told, note ?? '']
}

function noticeEvent(notice: Notice): { readonly type: 'notification' } & Readonly<Record<string, unknown>> {
  const at = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  return {
    type: 'notification',
    id: notice.id,
    job: notice.jobId,
    event: notice.type,
    to: targetText(notice.target),
    state: notice.state,
    attempts: notice.attempts,
    created_at: at(notice.createdAtMs),
    next_at: at(notice.nextAtMs),
    ended_at: at(notice.endedAtMs),
    note: notice.note,
  }
}

/** As the spec has it: the name of the variable, never what is in it. */
function targetText({ kind, address }: Notice['target']): string {
  return `${kind} ${'env' in address ? `\${${address.env}}` : address.url}`
}
