import { Type } from 'typebox'
import { DURATION_PATTERN, SHARE_PATTERN } from './quantity.ts'
import { block } from './schema-part.ts'

/** The block `alerts`. */
export const alertsBlock = block(
  'When those hear whose `notify` says `alert`: once for each rule and round. `off` takes a rule out.',
  {
    failed_over: Type.Optional(limit('The share of failed among ended rows, after 100 of them. Default: 5%.')),
    retries_over: Type.Optional(
      limit('The share of rows that were asked more than once, after 100 ended rows. Default: off.'),
    ),
    running_over: Type.Optional(
      Type.String({
        description: "A time after the job's round began, or its `deadline`. Default: `deadline`.",
        pattern: `${DURATION_PATTERN}|^deadline$|^off$`,
        errorMessage: 'must be a duration such as 6h, or deadline, or off',
      }),
    ),
    cost_over_plan: Type.Optional(
      limit('By which share the job will cost more than the plan by which it was run expects. Default: 20%.'),
    ),
  },
)

function limit(description: string) {
  return Type.Union([Type.String({ pattern: `${SHARE_PATTERN}|^off$` }), Type.Number({ minimum: 0, maximum: 1 })], {
    description,
    errorMessage: 'must be a share such as 5% or 0.05, or off',
  })
}
