import type { BookedPrice, LedgerSums, ModelSums, WayUse } from '../domain/ledger.ts'
import { toUsd } from '../domain/money.ts'
import { budgetEvent } from './budget-text.ts'
import { type DearRow, REPORT_VERSION, type ReportData } from './report-data.ts'
import { deadlineFields, routeEvent } from './route-json.ts'
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
      trigger_ref: job.triggerRef,
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
    tokens: tokens(ledger),
    prices: ledger.prices.map(bookedPrice),
    lane: lane(data),
    saved: saved(data),
    attempts: attempts(data),
    models: {
      asked: spec.models,
      used: ledger.byModel.map(modelSums),
      answered: data.outputs?.answeredBy ?? null,
    },
    dead_letters: data.causes.map(({ example, ...cause }) => ({
      ...cause,
      example: { row_id: example.rowId, message: example.message, attempts: example.attempts },
    })),
    dearest: data.dearest.map(dearRow),
    heaviest_tenth: heaviest(data),
    outputs: data.outputs?.columns ?? null,
    input: input(data),
    spec: { name: spec.name, hash: spec.hash, description: spec.description, tags: spec.tags, lane: spec.lane },
    rounds: data.rounds.map(({ round, specHash, atMs }) => ({ round, spec_hash: specHash, at: iso(atMs) })),
    budget: budgetEvent(data.budget),
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

function tokens(sums: LedgerSums): object {
  return {
    input: sums.inputTokens,
    cached: sums.cachedTokens,
    cache_write: sums.cacheWriteTokens,
    output: sums.outputTokens,
    reasoning: sums.reasoningTokens,
  }
}

function modelSums(sums: ModelSums): object {
  const { model, lane, attempts: n, costNano } = sums
  return { model, lane, attempts: n, tokens: tokens(sums), cost_usd: toUsd(costNano), unpriced: sums.unpriced }
}

/** USD per million tokens. */
function bookedPrice({ model, lane, price }: BookedPrice): object {
  const usd = (nano: number | null) => (nano === null ? null : toUsd(nano))
  return {
    model,
    lane,
    input: toUsd(price.inputNanoPerMillion),
    cached_input: usd(price.cachedInputNanoPerMillion),
    cache_write: usd(price.cacheWriteNanoPerMillion),
    output: toUsd(price.outputNanoPerMillion),
    lane_share: (price.lanePermille ?? 1000) / 1000,
    source: price.source,
  }
}

function saved({ ledger, reuse }: ReportData): object {
  const { inputTokens, cachedTokens, cacheWriteTokens, savedNano } = ledger.promptCache
  return {
    prompt_cache: {
      hit_rate: inputTokens === 0 ? null : cachedTokens / inputTokens,
      cached_tokens: cachedTokens,
      cache_write_tokens: cacheWriteTokens,
      saved_usd: savedNano === null ? null : toUsd(savedNano),
    },
    batch: savedOnWay(ledger.byWay.find(({ way }) => way === 'batch')),
    flex: savedOnWay(ledger.byWay.find(({ way }) => way === 'flex')),
    reuse: {
      rows: reuse.rows,
      rows_of_this_job: reuse.rowsHere,
      input_tokens: reuse.savedInputTokens,
      output_tokens: reuse.savedOutputTokens,
      saved_usd: toUsd(reuse.savedNano),
    },
  }
}

function savedOnWay(use: WayUse | undefined): object {
  const savedNano = use?.savedNano ?? null
  return { attempts: use?.attempts ?? 0, saved_usd: savedNano === null ? null : toUsd(savedNano) }
}

/** Which way the round went, and what each way's attempts of all rounds cost. */
function lane({ spec, lane: { route, deadline }, ledger }: ReportData): object {
  return {
    asked: spec.lane,
    route: routeEvent(route ?? undefined),
    deadline: deadline === null ? null : deadlineFields(deadline),
    used: ledger.byWay.map(({ way, attempts: n, costNano, unpriced, savedNano }) => ({
      way,
      attempts: n,
      cost_usd: unpriced > 0 && costNano === 0 ? null : toUsd(costNano),
      unpriced,
      saved_usd: savedNano === null ? null : toUsd(savedNano),
    })),
  }
}

function heaviest({ heaviest: tenth }: ReportData): object | null {
  return tenth === null ? null : { rows: tenth.rows, tokens: tenth.tokens, share: tenth.tokens / tenth.allTokens }
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
