import { toUsd } from '../domain/money.ts'
import { type DearRow, REPORT_VERSION, type ReportData } from './report-data.ts'
import { verdictOf } from './verdict.ts'

/** The report as one JSON document, indented. Costs are USD; one that is not known is null, and `lower_bound` says when a part of it is not. */
export function reportJson(data: ReportData): string {
  return `${JSON.stringify(reportDocument(data), undefined, 2)}\n`
}

function reportDocument(data: ReportData): object {
  const { job, spec, rows, ledger } = data
  const { word, sentence } = verdictOf(data)
  return {
    version: REPORT_VERSION,
    made_at: iso(data.madeAtMs),
    verdict: { word, sentence },
    job: {
      id: job.id,
      state: job.state,
      reason: job.reason,
      detail: job.detail,
      round: job.round,
      trigger: job.trigger,
      sluice: job.version,
      created_at: iso(job.createdAtMs),
      started_at: iso(job.startedAtMs),
      ended_at: iso(job.endedAtMs),
      wall_s: seconds(data.wallMs),
      active_s: seconds(data.activeMs),
    },
    simulated: data.simulated,
    gates: data.gates,
    rows: { ...rows },
    cost_usd: costs(data),
    tokens: { input: ledger.inputTokens, cached: ledger.cachedTokens, output: ledger.outputTokens },
    attempts: attempts(data),
    models: {
      asked: spec.models,
      used: ledger.byModel.map(({ model, attempts: n, costNano }) => ({
        model,
        attempts: n,
        cost_usd: toUsd(costNano),
      })),
      answered: data.outputs?.answeredBy ?? null,
    },
    dead_letters: data.causes.map(({ example, ...cause }) => ({
      ...cause,
      example: { row_id: example.rowId, message: example.message, attempts: example.attempts },
    })),
    dearest: data.dearest.map(dearRow),
    outputs: data.outputs?.columns ?? null,
    input: input(data),
    spec: { name: spec.name, hash: spec.hash, description: spec.description, tags: spec.tags, lane: spec.lane },
    rounds: data.rounds.map(({ round, specHash, atMs }) => ({ round, spec_hash: specHash, at: iso(atMs) })),
  }
}

function costs({ ledger, costPerRowNano }: ReportData): object {
  const usd = (nano: number) => (ledger.unpriced > 0 && nano === 0 ? null : toUsd(nano))
  return {
    total: usd(ledger.costNano),
    lower_bound: ledger.unpriced > 0,
    per_row: costPerRowNano === null ? null : toUsd(costPerRowNano),
    without_accepted_answer: usd(ledger.failedCostNano),
    lost: usd(ledger.lostCostNano),
    orphaned: usd(ledger.orphanedCostNano),
  }
}

function attempts({ ledger }: ReportData): object {
  const { attempts: total, booked, lost, orphaned, open, unpriced, byCause } = ledger
  return { total, booked, lost, orphaned, open, unpriced, failed_by_cause: byCause }
}

function dearRow({ rowId, rowIndex, costNano, share, inputTokens, outputTokens, attempts: n, state }: DearRow): object {
  return {
    row_id: rowId,
    row_index: rowIndex,
    cost_usd: toUsd(costNano),
    share,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    attempts: n,
    state,
  }
}

function input({ job }: ReportData): object | null {
  if (job.input === null) return null
  const { format, files, bytes, columns, notes, unreadable } = job.input
  return { format, files, bytes, columns, notes, unreadable, rows: job.rowsTotal, hash: job.inputHash }
}

function iso(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString()
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000
}
