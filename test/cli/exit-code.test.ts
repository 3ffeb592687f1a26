import { describe, expect, it } from 'vitest'
import { EXIT_CODES, workExitCode } from '../../src/cli/exit-code.ts'
import type { Job } from '../../src/domain/job.ts'
import { ERRORS, type ExitCode, SluiceError } from '../../src/errors.ts'
import { aFinished, aJob, aStatus, JOB_ID } from './fake-engine.ts'
import { cli } from './harness.ts'

const STANDS: readonly (readonly [Partial<Job>, ExitCode])[] = [
  [{ state: 'completed' }, 0],
  [{ state: 'cancelled' }, 1],
  [{ state: 'failed', reason: 'timeout' }, 1],
  [{ state: 'paused', reason: 'provider_down' }, 1],
  [{ state: 'paused', reason: 'storage' }, 1],
  [{ state: 'failed', reason: 'gate' }, 3],
  [{ state: 'paused', reason: 'error_rate' }, 3],
  [{ state: 'paused', reason: 'credentials' }, 4],
  [{ state: 'paused', reason: 'quota' }, 4],
  [{ state: 'paused', reason: 'budget' }, 5],
  [{ state: 'running' }, 6],
  [{ state: 'paused', reason: 'approval' }, 6],
  [{ state: 'paused', reason: 'user' }, 130],
]

describe('exit codes', () => {
  it('are the list of the contract, and never 99', () => {
    expect(Object.keys(EXIT_CODES).map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 130, 143])
    for (const { exitCode } of Object.values(ERRORS)) expect(Object.keys(EXIT_CODES)).toContain(String(exitCode))
  })

  it.each(STANDS)('run and resume, when the job stands %o: %i', async (job, exitCode) => {
    const status = aStatus({ job: aJob(job), exitCode, live: null })
    const verbs = {
      submit: async () => ({ job: aJob({ state: 'queued' }), created: true, notes: [] }),
      latest: async () => aJob({ state: 'queued' }),
      status: async () => aStatus({ job: aJob({ state: 'queued' }) }),
      resume: async () => aJob({ state: 'queued' }),
      work: async () => status,
      report: async () => '# verdict\n',
      wait: async () => status,
    }
    expect(await cli(verbs).run('run', 'x.yaml')).toBe(exitCode)
    expect(await cli(verbs).run('resume')).toBe(exitCode)
    expect(await cli(verbs).run('wait', JOB_ID)).toBe(exitCode)
  })

  it.each(Object.entries(ERRORS))('an error %s ends with its code', async (code, kind) => {
    const error = new SluiceError(code as keyof typeof ERRORS, 'message')
    const { run, err } = cli({ submit: () => Promise.reject(error) })
    expect(await run('run', 'x.yaml')).toBe(kind.exitCode)
    expect(err()).toBe(`error: message\n  ${kind.hint}\n`)
  })

  it('a signal counts unless the job came to its end', () => {
    expect(workExitCode(aStatus({ exitCode: 6 }), 'SIGINT')).toBe(130)
    expect(workExitCode(aStatus({ exitCode: 6 }), 'SIGTERM')).toBe(143)
    expect(workExitCode(aFinished({ exitCode: 3 }), 'SIGTERM')).toBe(3)
    expect(workExitCode(aStatus({ exitCode: 6 }), null)).toBe(6)
  })
})
