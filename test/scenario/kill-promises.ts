import type { KillFigures } from './kill-trial.ts'

/** What a kill must never do, held against what a trial found: a line for each promise that was broken. */
export function brokenPromises(figures: KillFigures, concurrency: number): readonly string[] {
  const broken: string[] = []
  const promise = (kept: boolean, text: string) => {
    if (!kept) broken.push(text)
  }
  const ok = figures.statuses.ok ?? 0
  promise(figures.finalExit === 0, `the last resume ended with ${figures.finalExit}`)
  promise(
    figures.resultRows === figures.rows && figures.distinctRows === figures.rows,
    `${figures.rows} rows, ${figures.distinctRows} distinct ones in the results`,
  )
  promise(ok === figures.rows, `every row should have succeeded: ${JSON.stringify(figures.statuses)}`)
  promise(figures.sentAfterOutcome === 0, `${figures.sentAfterOutcome} requests were sent for rows that were finished`)
  promise(
    figures.sentAgain <= figures.inFlightAtKills,
    `${figures.sentAgain} rows were sent again, ${figures.inFlightAtKills} were in flight`,
  )
  promise(
    figures.inFlightAtKills <= figures.kills * concurrency,
    `${figures.inFlightAtKills} in flight at ${figures.kills} kills`,
  )
  promise(figures.bookedWrong === 0, `${figures.bookedWrong} booked attempts differ from the bill`)
  promise(figures.billedUnknown === 0, `${figures.billedUnknown} billed requests are not in the ledger`)
  promise(
    figures.billedUnseenNotLost === 0,
    `${figures.billedUnseenNotLost} billed requests were never seen, and not booked as lost`,
  )
  promise(figures.lost <= figures.inFlightAtKills, `${figures.lost} lost, ${figures.inFlightAtKills} in flight`)
  promise(
    figures.ledgerNano >= figures.billNano,
    `the ledger (${figures.ledgerNano}) is below the bill (${figures.billNano})`,
  )
  promise(figures.kills === 0 || figures.inFlightAtKills > 0, 'no kill met a row in flight: the trial proves nothing')
  return broken
}
