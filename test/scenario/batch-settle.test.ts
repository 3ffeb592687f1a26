import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ON_POSTGRES } from './back-end.ts'
import { jobFolder, tickets } from './job-folder.ts'
import { startSimulatedProvider } from './simulated-provider.ts'
import { until } from './sluice-process.ts'

/** The lines of one type on a command's stdout. */
function linesOf(stdout: string, type: string): readonly Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line.endsWith('}'))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line.type === type)
}

// What a person says has nothing to do with the back end: once is enough.
it.skipIf(ON_POSTGRES)(
  'a batch whose creation was not answered is looked at as soon as a person says which it is',
  async () => {
    const folder = await jobFolder({ THE_KEY: 'good-key' })
    const flags = ['--batch-create-lost', '100%', '--batch-running', '1h']
    const simulated = await startSimulatedProvider(flags, join(folder.dir, 'requests.ndjson'))
    onTestFinished(() => simulated.stop())
    await folder.write('tickets.csv', tickets(40))
    const spec = await folder.write(
      'spec.yaml',
      `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model:
  id: anthropic/claude-sonnet-4-5
  base_url: ${simulated.url}/v1
  api_key_env: THE_KEY
  params: { max_output_tokens: 100 }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
execution: { lane: batch, batch: { poll: 1s } }
`,
    )
    const running = folder.start('run', spec)
    onTestFinished(async () => {
      running.child.kill('SIGKILL')
      await running.ended
    })
    const isOpen = async () => (await folder.count("batch_shards where state = 'submitting' and note is not null")) > 0
    await until(isOpen, 'nobody knows whether it was created')

    const listed = await folder.run('batches')
    expect(listed.code, listed.stderr).toBe(0)
    const [open] = linesOf(listed.stdout, 'batch')
    expect(open).toMatchObject({ state: 'submitting', batch: null, requests: 40 })
    const early = await folder.run('settle', String(open?.shard), '--not-sent')
    expect([early.code, early.stdout]).toEqual([2, expect.stringContaining('"code":"batch_state"')])
    const wrong = await folder.run('settle', String(open?.shard), '--is', 'msgbatch_nobodys')
    expect([wrong.code, wrong.stdout]).toEqual([2, expect.stringContaining('"code":"batch_refuted"')])

    const { data } = (await (
      await fetch(`${simulated.url}/v1/messages/batches`, { headers: { 'x-api-key': 'good-key' } })
    ).json()) as {
      readonly data: readonly { readonly id: string }[]
    }
    expect(data).toHaveLength(1)
    const settled = await folder.run('settle', String(open?.shard), '--is', String(data[0]?.id))
    expect(settled.code, settled.stderr).toBe(0)
    expect(linesOf(settled.stdout, 'batch')).toMatchObject([{ state: 'submitted', batch: data[0]?.id, guessed: true }])
    // The process that runs the job looks at it as at any other.
    const versionNow = async () =>
      (await folder.query<{ version: number }>('select version from batch_shards'))[0]?.version
    const version = Number(await versionNow())
    await until(async () => Number(await versionNow()) > version, 'it is looked at')
    const after = linesOf((await folder.run('batches')).stdout, 'batch')
    expect(after).toMatchObject([{ shard: open?.shard, batch: data[0]?.id, phase: 'running' }])
  },
)
