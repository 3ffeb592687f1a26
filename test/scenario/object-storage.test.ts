import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { type S3Server, startS3Server } from '../blob/s3-server/server.ts'
import { ON_POSTGRES } from './back-end.ts'
import { jobFolder, provider, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
  return () => server.close()
})

/** On the back end of many machines the blobs lie there too. */
const storage = () => ({ ...server.env, ...(ON_POSTGRES && { SLUICE_BLOB_URL: `s3://${server.bucket}/blobs` }) })
const parsed = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
/** What does not depend on when a row was worked on. */
const lasting = ({ _latency_ms: _, _model: __, ...row }: Record<string, unknown>) => row
const object = (key: string) => server.objects.all.get(key)?.bytes.toString() ?? ''

it('a job whose input and results lie in object storage comes to what it comes to with files', async () => {
  const rows = 300
  const onFiles = await jobFolder(storage())
  const simulated = await provider(onFiles)
  await onFiles.write('tickets.csv', tickets(rows))
  await onFiles.write('spec.yaml', ticketSpec(simulated.url, 'write: { path: labels.jsonl }\n'))
  const local = await onFiles.run('run', 'spec.yaml')
  expect(local.code, local.stderr).toBe(0)

  const onS3 = await jobFolder(storage())
  server.objects.put('in/tickets.csv', Buffer.from(tickets(rows)), null)
  const spec = ticketSpec(simulated.url, 'write: { path: "s3://test-bucket/out/labels.jsonl" }\n')
  await onS3.write('spec.yaml', spec.replace('source: tickets.csv', 'source: "s3://test-bucket/in/tickets.csv"'))
  const remote = await onS3.run('run', 'spec.yaml', '-o', 's3://test-bucket/out/again.csv')
  expect(remote.code, remote.stderr).toBe(0)
  expect(remote.stderr).toContain('Wrote s3://test-bucket/out/again.csv: ')

  const written = parsed(object('out/labels.jsonl'))
  expect(written).toHaveLength(rows)
  const expected = parsed(await readFile(join(onFiles.dir, 'labels.jsonl'), 'utf8'))
  expect(written.map(lasting)).toEqual(expected.map(lasting))
  expect(object('out/again.csv').trimEnd().split('\n')).toHaveLength(rows + 1)
})

it('`check` looks at an input in object storage, and says what is wrong with it', async () => {
  const folder = await jobFolder(storage())
  server.objects.put('in/tickets.csv', Buffer.from(tickets(5)), null)
  const spec = ticketSpec('http://127.0.0.1:1').replace(
    'source: tickets.csv',
    'source: "s3://test-bucket/in/tickets.csv"',
  )
  await folder.write('spec.yaml', spec)
  const well = await folder.run('check', 'spec.yaml')
  expect(well.code, well.stderr).toBe(0)
  expect(`${well.stdout}${well.stderr}`).toContain('s3://test-bucket/in/tickets.csv')
  const missing = await folder.run('check', 'spec.yaml', '--input', 's3://test-bucket/in/tikets.csv')
  expect(missing.code).toBe(2)
  expect(`${missing.stdout}${missing.stderr}`).toContain('there is no such object')
  const denied = await folder.with({ AWS_SECRET_ACCESS_KEY: 'wrong-secret' }).run('check', 'spec.yaml')
  expect(denied.code).not.toBe(0)
  expect(`${denied.stdout}${denied.stderr}`).toMatch(/access is denied|the access key is not accepted/)
  expect(`${denied.stdout}${denied.stderr}`).not.toContain('wrong-secret')
  await folder.write('nowhere.yaml', `${spec}write: { path: "s3://test-bucket" }\n`)
  expect((await folder.run('check', 'nowhere.yaml')).stdout).toContain('write.path names no object')
  const nowhere = await folder.run('run', 'spec.yaml', '-o', 's3://test-bucket/')
  expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('-o names no object')])
})

it.skipIf(!ON_POSTGRES)('object storage that goes away while a fleet works holds the job up, and no more', async () => {
  const folder = await jobFolder(storage())
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(100))
  // Without a key intake reads nothing back: all that is read is read by workers.
  const spec = ticketSpec(simulated.url, 'execution: { chunk_rows: 20 }\n').replace(', key: id', '')
  await folder.write('spec.yaml', spec)
  let dropped = 0
  server.fault = (request) => {
    if (!request.startsWith('GET blobs/')) return null
    dropped += 1
    return 'drop'
  }
  onTestFinished(() => {
    server.fault = null
  })
  const running = folder.start('run', 'spec.yaml')
  await until(() => dropped >= 15, 'workers tried again and again')
  expect(await folder.count('rows')).toBe(0)
  server.fault = null
  expect(await running.ended, running.stderr()).toBe(0)
  expect((await folder.results()).filter((row) => row._status === 'ok')).toHaveLength(100)
})

it('an intake from object storage that is killed goes on, and every row is there once', async () => {
  const folder = await jobFolder(storage())
  const simulated = await provider(folder, '--latency', '0ms')
  const rows = 60_000
  const long = 'and all of this again '.repeat(40)
  const csv = `id,text\n${Array.from({ length: rows }, (_, row) => `t${row},please refund number ${row} ${long}\n`).join('')}`
  server.objects.put('in/large.csv', Buffer.from(csv), null)
  const spec = ticketSpec(simulated.url, 'execution: { chunk_rows: 500 }\n')
  await folder.write('spec.yaml', spec.replace('source: tickets.csv', 'source: "s3://test-bucket/in/large.csv"'))
  const running = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count('chunks')) > 0, 'the first segment is in')
  running.child.kill('SIGKILL')
  await running.ended
  const began = server.requests.length
  const stateNow = async () => (await folder.query<{ state: string }>('select state from jobs'))[0]?.state
  expect(await stateNow()).toBe('created')
  const again = folder.start('resume')
  onTestFinished(async () => {
    again.child.kill('SIGKILL')
    await again.ended
  })
  await until(async () => (await stateNow()) !== 'created', 'the input is in')
  const chunks = await folder.query<{ first_row: number; rows: number }>(
    'select first_row, rows from chunks order by first_row',
  )
  expect(chunks.reduce((next, chunk) => (chunk.first_row === next ? next + chunk.rows : Number.NaN), 0)).toBe(rows)
  expect(server.requests.slice(began).filter((request) => request.startsWith('GET')).length).toBeGreaterThan(0)
})
