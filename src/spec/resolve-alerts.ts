import { ALERTS_BY_DEFAULT, type AlertsSpec } from '../domain/alert.ts'
import type { NotifySpec, Spec } from '../domain/spec.ts'
import type { Report } from './positions.ts'
import { parseDuration, parseShare } from './quantity.ts'
import type { Pruned } from './resolve-model.ts'
import type { SpecFile } from './schema.ts'

type AlertsBlock = Pruned<NonNullable<SpecFile['alerts']>>

/** The block `alerts`, or what stands for it; nothing where nobody wants to hear of alerts. */
export function resolveAlerts(
  block: AlertsBlock | undefined,
  notify: readonly NotifySpec[] | undefined,
  report: Report,
): Pick<Spec, 'alerts'> {
  if (notify?.some(({ when }) => when.includes('alert')) === true) return { alerts: alertsOf(block ?? {}) }
  if (block !== undefined) {
    report.warning(['alerts'], 'alerts: nobody hears of them', 'Add `alert` to `when` of a target in `notify`.')
  }
  return {}
}

function alertsOf(block: AlertsBlock): AlertsSpec {
  return {
    failedOver: shareOf(block.failed_over, ALERTS_BY_DEFAULT.failedOver),
    retriesOver: shareOf(block.retries_over, ALERTS_BY_DEFAULT.retriesOver),
    runningOver: timeOf(block.running_over),
    costOverPlan: shareOf(block.cost_over_plan, ALERTS_BY_DEFAULT.costOverPlan),
  }
}

function shareOf(written: string | number | undefined, standard: number | null): number | null {
  if (written === undefined) return standard
  return written === 'off' ? null : parseShare(written)
}

function timeOf(written: string | undefined): AlertsSpec['runningOver'] {
  if (written === undefined || written === 'deadline') return 'deadline'
  return written === 'off' ? null : parseDuration(written)
}
