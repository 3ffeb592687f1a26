import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loaded, readSpec } from '../../src/spec/load.ts'
import { lines, readText } from './spec-folder.ts'

const root = join(import.meta.dirname, '../..')
const contract = join(root, '../shared/design/contract.md')

describe.skipIf(!existsSync(contract))(
  'the example of the contract (skipped: ../shared/design/contract.md is absent)',
  () => {
    const env = { HOOK_URL: 'https://x.example', HOOK_SECRET: 'whsec_x', SLACK_URL: 'https://y.example' }
    const yaml = () => readFileSync(contract, 'utf8').split('```yaml\n')[1]?.split('```')[0] ?? ''

    it('is read whole: what is not built is refused by name, nothing is ignored', async () => {
      expect(
        lines((await readText(yaml(), { name: 'contract.yaml', env })).findings).map((line) =>
          line.replace(/:\d+:\d+/, ''),
        ),
      ).toEqual(['error contract.yaml retention is not yet supported | Remove it: nothing is ignored in silence.'])
    })

    it('is right without those', async () => {
      const built = yaml().replace(/^retention:.*\n/m, '')
      const { spec } = loaded(await readText(built, { env }))
      expect(spec).toMatchObject({
        name: 'ticket-triage',
        tags: { team: 'support', cost_center: '4410' },
        input: { source: 'data/tickets.csv', key: 'ticket_id', where: 'body.size > 0', limit: null },
        model: {
          target: {
            id: 'openai/gpt-5-mini',
            apiKeyEnv: 'OPENAI_API_KEY',
            params: { temperature: 0, max_output_tokens: 200 },
          },
          fallback: [
            {
              target: {
                id: 'openai/gpt-5',
                apiKeyEnv: 'OPENAI_API_KEY',
                params: { temperature: 0, max_output_tokens: 200 },
              },
              when: ['schema_invalid', 'context_too_long'],
              maxShare: 0.05,
            },
          ],
        },
        output: {
          columns: ['topic', 'sentiment', 'urgent', 'confidence'],
          checks: [{ message: 'refunds are urgent' }],
          onInvalid: { attempts: 3 },
        },
        execution: {
          lane: 'auto',
          chunkRows: 200,
          concurrency: { max: 256 },
          limits: { rpm: 500, tpm: 200_000, itpm: null, otpm: null, rpd: null, tpd: null },
          timeout: { requestMs: 60_000, jobMs: 86_400_000 },
          cache: 'spec',
        },
        budget: { usdNano: 20_000_000_000, tokens: null, rowTokens: 8000, onExceed: 'pause' },
        gates: { minSuccess: 0.99, maxCostPerRowNano: 500_000 },
        pauseIf: { failedOver: 0.2, afterRows: 500 },
        write: { path: 'out/labels.parquet', includeInput: true },
        notify: [
          {
            kind: 'webhook',
            address: { env: 'HOOK_URL' },
            secretEnv: 'HOOK_SECRET',
            when: ['completed', 'failed', 'paused'],
          },
          { kind: 'slack', address: { env: 'SLACK_URL' }, secretEnv: null, when: ['failed'] },
        ],
      })
    })
  },
)

describe('the examples', () => {
  const specs = globSync('examples/*/*.{yaml,yml}', { cwd: root })

  it.skipIf(specs.length === 0)('can all be loaded (skipped: there are none yet)', async () => {
    for (const path of specs) {
      const reading = await readSpec(join(root, path), { cwd: root, env: () => undefined })
      expect([relative(root, dirname(path)), lines(reading.findings)]).toEqual([relative(root, dirname(path)), []])
    }
  })
})
