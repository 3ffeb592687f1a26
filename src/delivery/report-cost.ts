import { formatUsd, type NanoUsd, type Price, toUsd } from '../domain/money.ts'
import { code, plain, table } from './markdown.ts'
import type { ReportData } from './report-data.ts'
import { count, counted, percent } from './report-figures.ts'
import { costText } from './verdict.ts'

/** What the job has cost: in all, for nothing, by kind of token, by model, and at which prices. */
export function costSection(data: ReportData): string {
  const { ledger, outputs: profile } = data
  const parts = ['## Cost', table(['what', 'cost'], costLines(data), [1]), tokens(data)]
  if (ledger.unpriced > 0) {
    parts.push(
      `The price of ${counted(ledger.unpriced, 'attempt')} is not known: set model.price. Costs by model count them as nothing.`,
    )
  }
  if (ledger.byModel.length > 0) parts.push(models(data))
  const prices = ledger.prices.map(({ model, price }) => `- ${code(model)}: ${priceText(price)}`)
  if (prices.length > 0) parts.push(`Prices in USD per million tokens:\n\n${prices.join('\n')}`)
  const answered = profile?.answeredBy.map(({ model, rows: n }) => `${code(model)} (${counted(n, 'row')})`) ?? []
  if (answered.length > 0) parts.push(`Models as answered: ${answered.join(', ')}.`)
  return parts.join('\n\n')
}

function costLines({ ledger, costPerRowNano, rows: n }: ReportData): readonly (readonly string[])[] {
  const text = (nano: number) => costText(nano, ledger.unpriced)
  const lines = [
    ['all attempts', text(ledger.costNano)],
    ['of these, attempts without an accepted answer', text(ledger.failedCostNano)],
  ]
  if (ledger.lost > 0) {
    const lost = `of these, lost with their process (${count(ledger.lost)}, at their worst case)`
    lines.push([lost, text(ledger.lostCostNano)])
  }
  if (ledger.orphaned > 0) {
    const orphaned = `of these, orphaned: answered too late (${count(ledger.orphaned)})`
    lines.push([orphaned, text(ledger.orphanedCostNano)])
  }
  if (n.succeeded + n.failed > 0) {
    const perRow = costPerRowNano === null ? 'unknown' : text(Math.round(costPerRowNano))
    lines.push(['per row that succeeded or failed', perRow])
  }
  return lines
}

function tokens({ ledger }: ReportData): string {
  const { inputTokens, cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens } = ledger
  const fresh = inputTokens - cachedTokens - cacheWriteTokens
  const lines = [
    ['input', count(fresh)],
    ["input, read from the provider's cache", count(cachedTokens)],
    ["input, written to the provider's cache", count(cacheWriteTokens)],
    ['output', count(outputTokens - reasoningTokens)],
    ['output, reasoning', count(reasoningTokens)],
  ]
  const shown = lines.filter(([what, n]) => n !== '0' || what === 'input' || what === 'output')
  const sum = `${count(inputTokens)} in and ${count(outputTokens)} out, in ${counted(ledger.attempts, 'attempt')}`
  return [table(['tokens', 'count'], shown, [1]), `Together ${sum}.`].join('\n\n')
}

function models({ ledger }: ReportData): string {
  const lines = ledger.byModel.map((sums) => [
    code(sums.model),
    sums.lane,
    count(sums.attempts),
    count(sums.inputTokens),
    count(sums.outputTokens),
    costText(sums.costNano, sums.unpriced),
  ])
  return table(['model as asked', 'lane', 'attempts', 'tokens in', 'out', 'cost'], lines, [2, 3, 4, 5])
}

function priceText(price: Price): string {
  const kinds: readonly (readonly [string, NanoUsd | null])[] = [
    ['in', price.inputNanoPerMillion],
    ['cached', price.cachedInputNanoPerMillion],
    ['written to the cache', price.cacheWriteNanoPerMillion],
    ['out', price.outputNanoPerMillion],
  ]
  const known = kinds.flatMap(([kind, nano]) => (nano === null ? [] : [`${listedUsd(nano)} ${kind}`]))
  const lane = price.lanePermille === undefined ? '' : `, of which the lane charges ${price.lanePermille / 10}%`
  return `${known.join(', ')}${lane} (${plain(price.source)})`
}

/** A price as lists have it: two decimals, more where it has more. */
function listedUsd(nano: NanoUsd): string {
  return `$${toUsd(nano)
    .toFixed(9)
    .replace(/0{1,7}$/, '')}`
}

const WAY_NAMES = Object.freeze({ live: 'live lane', flex: 'flex', batch: 'batch lane' })

/** What was not paid for, and why: a line for each lever. Empty where none was used. */
export function savedSection({ ledger, reuse }: ReportData): string {
  const lines: (readonly string[])[] = []
  const { inputTokens, cachedTokens, savedNano } = ledger.promptCache
  if (cachedTokens > 0) {
    const share = percent(cachedTokens, inputTokens)
    lines.push([`prompt cache of the provider: ${share} of ${count(inputTokens)} input tokens`, saved(savedNano)])
  }
  for (const { way, attempts, savedNano: less } of ledger.byWay) {
    if (way !== 'live') lines.push([`${WAY_NAMES[way]}: ${counted(attempts, 'request')} at its price`, saved(less)])
  }
  if (reuse.rows > 0) {
    const { rowsHere, rows, savedInputTokens, savedOutputTokens } = reuse
    const whose = [
      ...(rowsHere > 0 ? [`${count(rowsHere)} of this job`] : []),
      ...(rows > rowsHere ? [`${count(rows - rowsHere)} of earlier jobs`] : []),
    ]
    const used = `${count(savedInputTokens)} tokens in, ${count(savedOutputTokens)} out`
    lines.push([`answers reused: ${whose.join(', ')} (${used})`, saved(reuse.savedNano)])
  }
  return lines.length === 0 ? '' : ['## Saved', table(['by', 'saved'], lines, [1])].join('\n\n')
}

/** What was saved, for people: below 0 where it cost more. */
export function saved(nano: NanoUsd | null): string {
  if (nano === null) return 'unknown'
  return nano < 0 ? `-${formatUsd(-nano)}` : formatUsd(nano)
}
