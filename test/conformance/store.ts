import { afterEach, beforeEach, describe } from 'vitest'
import { bookingConformance } from './batches-booking.ts'
import { holdingsConformance } from './batches-budget.ts'
import { partsConformance } from './batches-parts.ts'
import { batchRacesConformance } from './batches-races.ts'
import { shardsConformance } from './batches-shards.ts'
import { spentConformance } from './batches-spent.ts'
import { answersConformance } from './store-answers.ts'
import { budgetConformance } from './store-budget.ts'
import { chunksConformance } from './store-chunks.ts'
import { claimsConformance } from './store-claims.ts'
import { costsConformance } from './store-costs.ts'
import type { StoreUnderTest } from './store-fixture.ts'
import { fleetConformance } from './store-fleet.ts'
import { jobsConformance } from './store-jobs.ts'
import { ledgerConformance } from './store-ledger.ts'
import { limitsConformance } from './store-limits.ts'
import { manifestConformance } from './store-manifest.ts'
import { outboxConformance } from './store-outbox.ts'
import { racesConformance } from './store-races.ts'
import { reopenConformance } from './store-reopen.ts'
import { rowsConformance } from './store-rows.ts'
import { openAiBatchesConformance } from './store-service-batches.ts'
import { filesConformance } from './store-service-files.ts'
import { requestsConformance } from './store-service-requests.ts'
import { specsConformance } from './store-service-specs.ts'
import { tenantsConformance } from './store-service-tenants.ts'
import { wallsConformance } from './store-service-walls.ts'
import { transactionsConformance } from './store-transactions.ts'
import { upkeepConformance } from './store-upkeep.ts'
import { waitingConformance } from './store-waiting.ts'
import { windowConformance } from './store-window.ts'

/** What every store must do, whatever database it is made of. */
export function storeConformance(name: string, openFresh: () => Promise<StoreUnderTest>): void {
  describe(`store: ${name}`, () => {
    let under: StoreUnderTest
    beforeEach(async () => {
      under = await openFresh()
    })
    afterEach(async () => {
      await under.close()
    })
    describe('transactions', () => transactionsConformance(() => under))
    describe('jobs', () => jobsConformance(() => under))
    describe('manifest', () => manifestConformance(() => under))
    describe('chunks', () => chunksConformance(() => under))
    describe('window', () => windowConformance(() => under))
    describe('rows', () => rowsConformance(() => under))
    describe('answers', () => answersConformance(() => under))
    describe('claims of requests', () => claimsConformance(() => under))
    describe('new rounds', () => reopenConformance(() => under))
    describe('jobs that wait for their turn', () => waitingConformance(() => under))
    describe('budgets', () => budgetConformance(() => under))
    describe('ledger', () => ledgerConformance(() => under))
    describe('costs', () => costsConformance(() => under))
    describe('races', () => racesConformance(() => under))
    describe('upkeep', () => upkeepConformance(() => under))
    describe('fleet', () => fleetConformance(() => under))
    describe('limits', () => limitsConformance(() => under))
    describe('tenants', () => tenantsConformance(() => under))
    describe('uploads', () => filesConformance(() => under))
    describe('requests', () => requestsConformance(() => under))
    describe('published specs', () => specsConformance(() => under))
    describe('batches over HTTP', () => openAiBatchesConformance(() => under))
    describe('walls between tenants', () => wallsConformance(() => under))
    describe('outbox', () => outboxConformance(() => under))
    describe('parts of batches', () => partsConformance(() => under))
    describe('shards of batches', () => shardsConformance(() => under))
    describe('results of batches', () => bookingConformance(() => under))
    describe('results that nobody needs', () => spentConformance(() => under))
    describe('budgets of batches', () => holdingsConformance(() => under))
    describe('races over batches', () => batchRacesConformance(() => under))
  })
}
