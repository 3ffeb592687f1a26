import type { ModelTarget } from '../domain/request.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { formatPath, type Path, type Report } from '../spec/positions.ts'
import type { CheckTools } from './check-tools.ts'

const LANE: Path = ['execution', 'lane']
const DEADLINE: Path = ['execution', 'deadline']

/** Whether the models of a spec can be asked on its lane, and whether that lane sees to its deadline. */
export function checkLane(spec: Spec, tools: CheckTools, report: Report): void {
  const { execution, model } = spec
  if (execution.deadlineMs !== undefined && execution.lane !== 'auto') {
    report.warning(
      DEADLINE,
      `execution.deadline is watched, and nothing is done about it: the lane is ${execution.lane}`,
      'With execution.lane: auto what would be late goes live.',
    )
  }
  if (model.target.id === '') return
  if (execution.lane === 'batch') checkBatch(spec, tools, report)
  if (execution.lane === 'auto') checkAuto(spec, tools, report)
}

/** A fallback that has no batch API is asked live. */
function checkBatch({ model, budget }: Spec, tools: CheckTools, report: Report): void {
  if (offers(tools.hasBatches, model.target) === false) {
    report.error(
      LANE,
      `${model.target.id} has no batch API that sluice knows`,
      'Write execution.lane: live, or choose another model.',
    )
  }
  for (const [index, { target }] of model.fallback.entries()) {
    const path: Path = ['model', 'fallback', index]
    if (offers(tools.hasBatches, target) === false)
      report.warning(
        [...path, 'id'],
        `${formatPath(path)}: ${target.id} has no batch API that sluice knows: its rows go live, at full price`,
      )
  }
  if (tools.price(model.target, model.price) === null && budget.usdNano === null) {
    report.warning(
      LANE,
      'what a batch costs is not known, since the price of the model is not',
      'A batch costs half of the live price: give that as model.price.',
    )
  }
}

/** Where there is nothing to choose. */
function checkAuto({ model: { target } }: Spec, tools: CheckTools, report: Report): void {
  if (offers(tools.hasBatches, target) !== false || offers(tools.hasFlex, target) !== false) return
  report.warning(
    LANE,
    `auto is live: ${target.id} has neither a batch API nor flex that sluice knows`,
    'It costs what live costs.',
  )
}

/** `null`: the target is not one, which has been said. */
function offers(offer: (target: ModelTarget) => boolean, target: ModelTarget): boolean | null {
  try {
    return offer(target)
  } catch (error) {
    if (error instanceof SluiceError) return null
    throw error
  }
}
