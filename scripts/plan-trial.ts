import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Compared, type TrialFigures, tryPlan } from '../test/plan/plan-trial.ts'
import { TRIAL_SPECS } from '../test/plan/trial-specs.ts'

/**
 * `npm run trial:plan -- [--sample 50] [--only name]`: ten specs over different data, each with a provider of its own seed and faults, planned with a
 * pilot and then run; prints planned ranges beside what came. Exit 1 where the cost of more than one in ten lies outside its range, or a range is
 * wider than 1.5 times.
 */
const { values } = parseArgs({
  options: { sample: { type: 'string', default: '50' }, only: { type: 'string' } },
})

/** How wide a range of cost may be, high end over low end. */
const WIDEST = 1.5

const specs = TRIAL_SPECS.filter(({ name }) => values.only === undefined || name === values.only)
const dir = await mkdtemp(join(tmpdir(), 'sluice-plan-'))
const all: TrialFigures[] = []
try {
  console.log('| spec | to run, asked | cost planned | cost | width | tokens in | tokens out | time planned | time |')
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const spec of specs) {
    const figures = await tryPlan(spec, dir, Number(values.sample))
    all.push(figures)
    console.log(line(figures))
  }
} finally {
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}
const outside = all.filter(({ cost }) => !cost.inside)
const wide = all.filter(({ cost }) => cost.width > WIDEST)
const hits = (of: (figures: TrialFigures) => Compared) => all.filter((figures) => of(figures).inside).length
console.log(
  `\nInside the range: cost ${hits(({ cost }) => cost)}, input tokens ${hits(({ inputTokens }) => inputTokens)}, output tokens ${hits(({ outputTokens }) => outputTokens)}, time ${hits(({ seconds }) => seconds)} of ${all.length}; widest range of cost ${Math.max(...all.map(({ cost }) => cost.width)).toFixed(2)}.`,
)
process.exitCode = outside.length * 10 > all.length || wide.length > 0 ? 1 : 0

function line({ spec, planned, asked, cost, inputTokens, outputTokens, seconds }: TrialFigures): string {
  const usd = (n: number) => `$${n.toFixed(4)}`
  const cells = [
    spec,
    `${planned}, ${asked}`,
    `${usd(cost.low)} to ${usd(cost.high)}`,
    `${usd(cost.actual)} ${mark(cost)}`,
    cost.width.toFixed(2),
    mark(inputTokens),
    mark(outputTokens),
    `${seconds.low.toFixed(1)} to ${seconds.high.toFixed(1)} s`,
    `${seconds.actual.toFixed(1)} s ${mark(seconds)}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function mark({ inside }: Compared): string {
  return inside ? 'inside' : '**outside**'
}
