import { parseUsd } from '../domain/money.ts'
import type { JsonSchema } from '../domain/request.ts'
import type {
  BatchSpec,
  BudgetSpec,
  ExecutionSpec,
  GatesSpec,
  InputSpec,
  OutputSpec,
  PauseIfSpec,
  Spec,
  WriteSpec,
} from '../domain/spec.ts'
import { formatPath, type Path, type Report } from './positions.ts'
import { parseDecimal, parseDuration, parseShare } from './quantity.ts'
import { deepFreeze } from './record.ts'
import { resolveAlerts } from './resolve-alerts.ts'
import { type Pruned, resolveModel } from './resolve-model.ts'
import { resolveNotify } from './resolve-notify.ts'
import type { SpecFile } from './schema.ts'
import { showValue } from './secret.ts'

/**
 * The spec with every default filled in, frozen. `schema` is what `output.fields`, `schema` or `file` came to. What the shape cannot say is checked here, and reported: which keys exclude each other,
 * and values out of range. Where something required is missing the result has a blank in its place, so that checking can go on.
 */
export function resolveSpec(file: Pruned<SpecFile>, schema: JsonSchema | null, report: Report): Spec {
  const { notify } = resolveNotify(file.notify, report)
  return deepFreeze({
    version: 1,
    name: file.name ?? '',
    description: file.description ?? null,
    tags: { ...file.tags } as Spec['tags'],
    vars: { ...file.vars } as Spec['vars'],
    input: resolveInput(file.input, report),
    model: resolveModel(file.model, report),
    prompt: { system: file.prompt?.system ?? null, user: file.prompt?.user ?? null },
    output: resolveOutput(file.output, schema, report),
    execution: resolveExecution(file.execution, report),
    priority: file.priority ?? 'normal',
    budget: resolveBudget(file.budget, report),
    gates: resolveGates(file.gates, report),
    pauseIf: resolvePauseIf(file.pause_if),
    write: resolveWrite(file.write, report),
    ...(notify !== undefined && { notify }),
    ...resolveAlerts(file.alerts, notify, report),
  })
}

function resolveInput(input: Pruned<SpecFile['input']> | undefined, report: Report): InputSpec {
  if (input?.source !== undefined && input.sql !== undefined) {
    report.add('error', report.positions.key(['input', 'sql']), 'input has both source and sql', 'Keep one of the two.')
  }
  if (input?.source !== undefined)
    refuseAddress(input.source, ['input', 'source'], 'Use a file, a glob or s3://.', report)
  return {
    source: input?.source ?? null,
    sql: input?.sql ?? null,
    format: input?.format ?? null,
    key: input?.key ?? null,
    where: input?.where ?? null,
    limit: input?.limit ?? null,
    csv: {
      delimiter: input?.csv?.delimiter ?? null,
      header: input?.csv?.header ?? null,
      encoding: input?.csv?.encoding ?? null,
    },
  }
}

/** `https://…` and its like; `s3://` is known. */
function refuseAddress(text: string, path: Path, hint: string, report: Report): void {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1]
  if (scheme !== undefined && scheme.toLowerCase() !== 's3')
    report.notYet(report.positions.value(path), `${formatPath(path)}: ${scheme}:// is not yet supported`, hint)
}

function resolveOutput(
  output: Pruned<NonNullable<SpecFile['output']>> | undefined,
  schema: JsonSchema | null,
  report: Report,
): OutputSpec {
  const properties =
    typeof schema === 'object' && schema !== null ? (schema.properties as Readonly<Record<string, unknown>>) : null
  const columns = properties === null ? ['answer'] : Object.keys(properties)
  const within = output?.fields !== undefined ? ['output', 'fields'] : ['output', 'schema', 'properties']
  for (const column of columns.filter((each) => each.startsWith('_') || each.trim() === '')) {
    const message = column.trim() === '' ? 'an output field has no name' : `the output field "${column}" starts with _`
    const hint =
      column.trim() === ''
        ? 'Name it.'
        : `Columns with _ are sluice's own: rename it, for example to "${column.replace(/^_+/, '') || 'field'}".`
    report.add('error', report.positions.key([...within, column]), message, hint)
  }
  const checks = (output?.checks ?? []).flatMap((check) =>
    check?.that === undefined ? [] : [{ that: check.that, message: check.message ?? check.that }],
  )
  return { schema, columns, checks, onInvalid: { attempts: output?.on_invalid?.attempts ?? 3 } }
}

type Execution = Pruned<NonNullable<SpecFile['execution']>>

function resolveExecution(execution: Execution | undefined, report: Report): ExecutionSpec {
  const { timeout } = execution ?? {}
  return {
    ...laneOf(execution, report),
    chunkRows: execution?.chunk_rows ?? null,
    chunksInFlight: execution?.chunks_in_flight ?? 5,
    chunkAttempts: execution?.chunk_attempts ?? 3,
    concurrency: { max: execution?.concurrency?.max ?? 64 },
    limits: {
      rpm: execution?.limits?.rpm ?? null,
      tpm: execution?.limits?.tpm ?? null,
      itpm: execution?.limits?.itpm ?? null,
      otpm: execution?.limits?.otpm ?? null,
      rpd: execution?.limits?.rpd ?? null,
      tpd: execution?.limits?.tpd ?? null,
    },
    timeout: {
      requestMs: timeoutMs(timeout?.request, 120_000, ['execution', 'timeout', 'request'], report),
      jobMs: timeoutMs(timeout?.job, null, ['execution', 'timeout', 'job'], report),
    },
    retries: execution?.retries ?? 4,
    cache: execution?.cache ?? 'spec',
  }
}

function laneOf(
  execution: Execution | undefined,
  report: Report,
): Pick<ExecutionSpec, 'lane' | 'batch' | 'deadlineMs'> {
  const deadline = execution?.deadline
  const lane = execution?.lane ?? (deadline === undefined ? 'live' : 'auto')
  return {
    lane,
    ...(lane !== 'live' && { batch: resolveBatch(execution?.batch, report) }),
    ...(deadline !== undefined && { deadlineMs: deadlineMs(deadline, report) }),
  }
}

function deadlineMs(text: string, report: Report): number {
  const ms = parseDuration(text) ?? 0
  if (ms >= 1) return ms
  report.error(['execution', 'deadline'], `execution.deadline must be at least 1ms, got "${text}"`)
  return 1
}

function resolveBatch(batch: Execution['batch'] | undefined, report: Report): BatchSpec {
  const recall = batch?.recall
  return {
    retry: batch?.retry ?? 'batch',
    requests: batch?.requests ?? null,
    queueTokens: batch?.queue_tokens ?? null,
    pollMs: timeoutMs(batch?.poll, LONGEST_LOOK_MS, ['execution', 'batch', 'poll'], report),
    ...(recall !== undefined && { recallMs: timeoutMs(recall, 0, ['execution', 'batch', 'recall'], report) }),
  }
}

/** A batch is looked at this often at the least, where nothing else is said. */
const LONGEST_LOOK_MS = 300_000

/** Timers of the platform hold no more than 2^31 - 1 ms; a longer request time-out would fire at once. */
const LONGEST_MS = 2_147_483_647

function timeoutMs<T extends number | null>(
  text: string | undefined,
  standard: T,
  path: Path,
  report: Report,
): number | T {
  if (text === undefined) return standard
  const ms = parseDuration(text) ?? 0
  if (ms >= 1 && ms <= LONGEST_MS) return ms
  report.error(path, `${formatPath(path)} must be at least 1ms and at most 24d, got "${text}"`)
  return standard
}

function resolveBudget(budget: Pruned<NonNullable<SpecFile['budget']>> | undefined, report: Report): BudgetSpec {
  return {
    usdNano: nanoOf(budget?.usd, ['budget', 'usd'], report),
    tokens: budget?.tokens ?? null,
    rowTokens: budget?.row_tokens ?? null,
    onExceed: budget?.on_exceed ?? 'pause',
  }
}

function resolveGates(gates: Pruned<NonNullable<SpecFile['gates']>> | undefined, report: Report): GatesSpec {
  return {
    minSuccess: gates?.min_success === undefined ? null : parseShare(gates.min_success),
    maxCostPerRowNano: nanoOf(gates?.max_cost_per_row_usd, ['gates', 'max_cost_per_row_usd'], report),
  }
}

/** A sum in dollars, exact; `null` where there is none, or where it has been reported. */
function nanoOf(usd: string | number | undefined, path: Path, report: Report): number | null {
  if (usd === undefined) return null
  const decimal = parseDecimal(usd)
  if (decimal !== null) return parseUsd(decimal)
  report.error(path, `${formatPath(path)} must be a decimal with at most nine decimals, got ${usd}`)
  return null
}

function resolvePauseIf(pauseIf: Pruned<NonNullable<SpecFile['pause_if']>> | undefined): PauseIfSpec | null {
  const failedOver = pauseIf?.failed_over === undefined ? null : parseShare(pauseIf.failed_over)
  return failedOver === null ? null : { failedOver, afterRows: pauseIf?.after_rows ?? 100 }
}

function resolveWrite(write: Pruned<NonNullable<SpecFile['write']>> | undefined, report: Report): WriteSpec | null {
  if (write?.path === undefined) return null
  refuseAddress(write.path, ['write', 'path'], 'Write to a file or to s3://, and copy it when the job ends.', report)
  if (/^s3:/i.test(write.path) && !/^s3:\/\/[^/?]+\/[^?]+$/i.test(write.path)) {
    report.error(['write', 'path'], 'write.path names no object: expected s3://bucket/key')
  }
  if (!/\.(csv|jsonl|parquet)$/i.test(write.path)) {
    report.error(['write', 'path'], `write.path must end in .csv, .jsonl or .parquet, got ${showValue(write.path)}`)
  }
  return { path: write.path, includeInput: write.include_input ?? true }
}
