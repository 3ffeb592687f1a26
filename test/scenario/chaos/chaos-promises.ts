import type { ChaosFigures } from './chaos-trial.ts'

/** What a fleet promises whatever happens to it, held against what a trial found: a line for each promise that was broken. */
export function brokenPromises(figures: ChaosFigures): readonly string[] {
  const { rows, jobs } = figures
  const promises: readonly (readonly [boolean, string])[] = [
    [jobs > 0 && figures.states.completed === jobs, `of ${jobs} jobs: ${JSON.stringify(figures.states)}`],
    [
      figures.resultRows === rows && figures.distinctRows === rows && figures.outcomes === rows,
      `${rows} rows, ${figures.outcomes} outcomes, ${figures.distinctRows} distinct ones of ${figures.resultRows} in the results`,
    ],
    [figures.statuses.ok === rows, `every row should have succeeded: ${JSON.stringify(figures.statuses)}`],
    [figures.bookedWrong === 0, `${figures.bookedWrong} booked or orphaned attempts differ from the bill`],
    [figures.billedUnknown === 0, `${figures.billedUnknown} billed requests are not in the ledger`],
    [
      figures.billedUnseenNotLost === 0,
      `${figures.billedUnseenNotLost} billed requests were never seen, and not booked as lost`,
    ],
    [
      figures.ledgerNano >= figures.billNano,
      `the ledger (${figures.ledgerNano}) is below the bill (${figures.billNano})`,
    ],
    [figures.lost <= figures.inFlight, `${figures.lost} lost, ${figures.inFlight} in flight when they were struck`],
    [figures.sentAgain <= figures.inFlight, `${figures.sentAgain} rows sent again, ${figures.inFlight} in flight`],
    [figures.outcomesOutOfTurn === 0, `${figures.outcomesOutOfTurn} outcomes by workers whose epoch had passed`],
    [figures.outcomesUnpaid === 0, `${figures.outcomesUnpaid} rows succeeded without an attempt that was booked`],
    [figures.totalsWrong === 0, `${figures.totalsWrong} jobs whose totals are not the sums of their ledger`],
    [figures.leftOpen === 0, `${figures.leftOpen} attempts or chunks are still open`],
    [figures.deaths.length === 0, `workers ended by themselves: ${figures.deaths.join('; ')}`],
  ]
  return promises.filter(([kept]) => !kept).map(([, broken]) => broken)
}
