import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { sluice } from './sluice-process.ts'

/** A file system of its own and of that size, where this machine lets us have one; `null` else. */
function smallDisk(path: string, megabytes: number): (() => void) | null {
  mkdirSync(path, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    return null
  }
  return () => execFileSync('umount', ['-l', path])
}

it('a full disk pauses the job with `storage`; with room again it goes on, and nothing was paid for twice', async (context) => {
  const folder = await jobFolder()
  const disk = join(folder.dir, 'disk')
  const unmount = smallDisk(disk, 48)
  if (unmount === null) {
    context.skip('this machine does not let us mount a small file system: the full disk was not tried')
    return
  }
  onTestFinished(unmount)
  const simulated = await provider(folder, '--latency', '2ms')
  const rows = 6_000
  await folder.write('tickets.csv', tickets(rows))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { cache: off }\n'))
  const env = { SLUICE_DATA_DIR: join(disk, 'data') }
  const started = folder.start('run', 'spec.yaml', '--data-dir', join(disk, 'data'))
  const { until } = await import('./sluice-process.ts')
  await until(() => simulated.requests().length > 300, 'the job runs')
  fill(disk)
  expect(await started.ended, started.stderr()).toBe(1)
  expect(summaryOf(started.stdout())).toMatchObject({ state: 'paused', reason: 'storage' })
  expect(started.stderr()).toMatch(/disk|space|storage/i)

  execFileSync('rm', [join(disk, 'filler')])
  const resumed = await sluice(['resume'], { cwd: folder.dir, env })
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(summaryOf(resumed.stdout).rows).toMatchObject({ total: rows, succeeded: rows })
  expect(simulated.requests().length).toBe(rows)
})

/** Writes until nothing more goes in. */
function fill(disk: string): void {
  const block = Buffer.alloc(64 * 1024)
  try {
    while (true) writeFileSync(join(disk, 'filler'), block, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
