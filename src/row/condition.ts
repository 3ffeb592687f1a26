import { Context, isTruthy, toValueSync, Value } from 'liquidjs'
import type { Row } from '../domain/row.ts'
import type { TemplateAnalysis } from './analyse.ts'
import { faultsOf, liquid, type TemplateFault } from './liquid.ts'
import { scopeFor, type World } from './scope.ts'

/** Whether a condition holds, or the fault that this row met. */
export type Judged = { readonly holds: boolean } | { readonly fault: TemplateFault }

/** A Liquid condition, compiled once: what may stand in `{% if … %}`. */
export interface CompiledCondition {
  judge(row: Row, output: Readonly<Record<string, unknown>> | null): Judged
}

/**
 * Compiles a condition that `analyseCondition` found no fault in, and whose names are all known.
 * `lenient`: what a nested value lacks counts as empty; else it is a fault.
 */
export function compileCondition(
  text: string,
  analysis: TemplateAnalysis,
  world: World,
  options: { readonly lenient: boolean },
): CompiledCondition {
  const value = new Value(text, liquid)
  const scopeOf = scopeFor(analysis.variables, world)
  return Object.freeze({
    judge(row: Row, output: Readonly<Record<string, unknown>> | null): Judged {
      const context = new Context(scopeOf(row, output), liquid.options, { sync: true }, { liquid })
      try {
        return { holds: isTruthy(toValueSync(value.value(context, options.lenient)), context) }
      } catch (error) {
        return { fault: faultsOf(error)[0] as TemplateFault }
      }
    },
  })
}
