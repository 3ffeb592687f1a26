import type { ModelTarget } from '../domain/request.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { formatPath, type Path, type Report } from '../spec/positions.ts'
import type { CheckTools } from './check-tools.ts'

/** Whether the models of a spec can be asked on its lane. A fallback that has no batch API is asked live. */
export function checkLane(spec: Spec, tools: CheckTools, report: Report): void {
  const { execution, model } = spec
  if (execution.lane !== 'batch' || model.target.id === '') return
  if (hasBatches(model.target, tools) === false) {
    report.error(
      ['execution', 'lane'],
      `${model.target.id} has no batch API that sluice knows`,
      'Write execution.lane: live, or choose another model.',
    )
  }
  for (const [index, { target }] of model.fallback.entries()) {
    const path: Path = ['model', 'fallback', index]
    if (hasBatches(target, tools) === false)
      report.warning(
        [...path, 'id'],
        `${formatPath(path)}: ${target.id} has no batch API that sluice knows: its rows go live, at full price`,
      )
  }
  if (tools.price(model.target, model.price) === null && spec.budget.usdNano === null) {
    report.warning(
      ['execution', 'lane'],
      'what a batch costs is not known, since the price of the model is not',
      'A batch costs half of the live price: give that as model.price.',
    )
  }
}

/** `null`: the target is not one, which has been said. */
function hasBatches(target: ModelTarget, tools: CheckTools): boolean | null {
  try {
    return tools.hasBatches(target)
  } catch (error) {
    if (error instanceof SluiceError) return null
    throw error
  }
}
