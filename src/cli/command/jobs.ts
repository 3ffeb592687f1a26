import type { Command } from 'commander'
import type { JobState } from '../../domain/job.ts'
import type { JobStatus } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { jobState, positiveInteger, several } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { age, cost, count } from '../figures.ts'
import { jobEvent } from '../ndjson.ts'
import { shownPercent, stateText } from '../panel.ts'
import { type Column, tableLines } from '../table.ts'

interface JobsFlags {
  readonly all?: boolean
  readonly limit: number
  readonly state?: readonly JobState[]
}

const COLUMNS: readonly Column[] = [
  { title: 'JOB' },
  { title: 'SPEC', flexible: true },
  { title: 'STATE' },
  { title: 'DONE', align: 'right' },
  { title: 'ROWS', align: 'right' },
  { title: 'FAILED', align: 'right' },
  { title: 'COST', align: 'right' },
  { title: 'AGE', align: 'right' },
]

/** `sluice jobs`: the newest jobs. */
export function addJobsCommand(program: Command, launch: Launch): void {
  program
    .command('jobs')
    .description('list jobs, newest first')
    .option('--all', 'trials made by `sluice try`, too')
    .option('--limit <n>', 'how many at most', positiveInteger, 20)
    .option('--state <state>', 'only these; may be given several times', several(jobState))
    .action((flags: JobsFlags) => launch((context) => jobs(context, flags)))
}

async function jobs(context: CommandContext, flags: JobsFlags): Promise<ExitCode> {
  const engine = await context.engine()
  const list = await engine.jobs({
    limit: flags.limit,
    includeTries: flags.all === true,
    ...(flags.state && { states: flags.state }),
  })
  const { output, events, deps } = context
  if (list.length === 0) {
    context.note(`No jobs in ${context.config.shared === null ? context.config.dataDir : 'the database'}.`)
    return 0
  }
  for (const status of list) events.line(jobEvent(status, deps.runtime.now()))
  if (output.mode === 'human') {
    const rows = list.map((status) => cells(status, deps.runtime.now()))
    await output.data(`${tableLines(COLUMNS, rows, output.width(), output.style).join('\n')}\n`)
  }
  return 0
}

function cells(status: JobStatus, nowMs: number): string[] {
  const { job, counters } = status
  return [
    job.id,
    job.specName,
    stateText(status),
    `${shownPercent(status)}%`,
    count(job.rowsTotal),
    count(counters.failed),
    cost(counters),
    age(nowMs - job.createdAtMs),
  ]
}
