import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BudgetFigures, runBudgetTrial, TRIAL_BUDGET } from '../test/scenario/budget-trial.ts'

/**
 * `npm run trial:budget -- [seeds] [--from 1] [--kills 0] [--concurrency 256]`: a budget of $1.00 under heavy-tailed outputs, once for each seed;
 * prints a line for each, and the sums. Exit 1 where the bill or the ledger passed the budget, or less than 97 % of it was used before the end.
 */
const { values, positionals } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    kills: { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '256' },
  },
  allowPositionals: true,
})

const LEAST_USED = 0.97

const seeds = Number(positionals[0] ?? '100')
const from = Number(values.from)
const all: BudgetFigures[] = []
for (let seed = from; seed < from + seeds; seed += 1) {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-budget-'))
  try {
    const figures = await runBudgetTrial({
      dir,
      env: { SLUICE_DATA_DIR: join(dir, 'data') },
      seed,
      kills: Number(values.kills),
      concurrency: Number(values.concurrency),
    })
    all.push(figures)
    console.error(JSON.stringify(figures))
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 10 })
  }
}

const bounds = (of: (figures: BudgetFigures) => number) => {
  const sorted = all.map(of).sort((a, b) => a - b)
  return { least: sorted[0], median: sorted[Math.floor(sorted.length / 2)], most: sorted.at(-1) }
}
const over = all.filter(({ bill, ledger }) => bill > TRIAL_BUDGET || ledger > TRIAL_BUDGET)
const under = all.filter(({ ledger }) => ledger < LEAST_USED * TRIAL_BUDGET)
const odd = all.filter(({ exit, reason }) => exit !== 5 || reason !== 'budget')
const sums = { seeds: all.length, bill: bounds((one) => one.bill), ledger: bounds((one) => one.ledger) }
console.log(JSON.stringify({ ...sums, over: over.length, under: under.length, odd: odd.length }, null, 2))
process.exitCode = over.length + under.length + odd.length === 0 ? 0 : 1
