import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { sluice, until } from './sluice-process.ts'
import { smallDisk } from './small-disk.ts'

it('a full disk pauses the job with `storage`; with room again it goes on, and nothing was paid for twice', async (context) => {
  const folder = await jobFolder()
  const disk = smallDisk(join(folder.dir, 'disk'), 48)
  if (disk === null) {
    context.skip('this machine does not let us mount a small file system: the full disk was not tried')
    return
  }
  onTestFinished(disk.unmount)
  const simulated = await provider(folder, '--latency', '2ms')
  const rows = 6_000
  await folder.write('tickets.csv', tickets(rows))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { cache: off }\n'))
  const env = { SLUICE_DATA_DIR: join(disk.path, 'data') }
  const started = folder.start('run', 'spec.yaml', '--data-dir', join(disk.path, 'data'))
  await until(() => simulated.requests().length > 300, 'the job runs')
  disk.fill()
  expect(await started.ended, started.stderr()).toBe(1)
  expect(summaryOf(started.stdout())).toMatchObject({ state: 'paused', reason: 'storage' })
  expect(started.stderr()).toMatch(/disk|space|storage/i)

  disk.clear()
  const resumed = await sluice(['resume'], { cwd: folder.dir, env })
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(summaryOf(resumed.stdout).rows).toMatchObject({ total: rows, succeeded: rows })
  expect(simulated.requests().length).toBe(rows)
})
