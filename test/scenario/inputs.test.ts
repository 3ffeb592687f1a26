import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { expect, it } from 'vitest'
import { jobFolder, summaryOf } from './job-folder.ts'

const records = Array.from({ length: 30 }, (_, index) => ({ id: `t${index}`, text: `refund "${index}",\nplease 💶` }))
const jsonl = records.map((record) => `${JSON.stringify(record)}\n`).join('')
const csvOf = (some: typeof records) =>
  `id,text\r\n${some.map(({ id, text }) => `${id},"${text.replaceAll('"', '""')}"\r\n`).join('')}`

const spec = (source: string) => `version: 1
name: tickets
input: { ${source}, key: id }
model: { id: simulator/tickets }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]" } }
`

it.each([
  ['JSON lines', 'source: in.jsonl'],
  ['packed CSV', 'source: in.csv.gz'],
  ['several packed files by a glob', 'source: "parts/*.jsonl.gz"'],
  ['Parquet', 'source: in.parquet'],
  ['a DuckDB query', `sql: "select id, text from 'in.jsonl' order by cast(id[2:] as integer)"`],
])('%s goes in and comes out whole, in order, byte for byte', async (_what, source) => {
  const folder = await jobFolder()
  await mkdir(join(folder.dir, 'parts'))
  await folder.write('in.jsonl', jsonl)
  await writeFile(join(folder.dir, 'in.csv.gz'), gzipSync(csvOf(records)))
  const lines = jsonl.trimEnd().split('\n')
  await writeFile(join(folder.dir, 'parts/a.jsonl.gz'), gzipSync(`${lines.slice(0, 13).join('\n')}\n`))
  await writeFile(join(folder.dir, 'parts/b.jsonl.gz'), gzipSync(`${lines.slice(13).join('\n')}\n`))
  if (source.includes('.parquet')) await asParquet(join(folder.dir, 'in.jsonl'), join(folder.dir, 'in.parquet'))
  await folder.write('spec.yaml', spec(source))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  expect(summaryOf(run.stdout).rows).toMatchObject({ total: 30, succeeded: 30 })
  const results = await folder.results()
  expect(results.map(({ id, text }) => ({ id, text }))).toEqual(records)
  const parquet = await folder.run('results', '-o', 'out.parquet')
  expect(parquet.code, parquet.stderr).toBe(0)
})

async function asParquet(from: string, to: string): Promise<void> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  await connection.run(`copy (select id, text from '${from}') to '${to}' (format parquet)`)
  connection.closeSync()
  instance.closeSync()
}

const banking = new URL('../../../shared/data/banking77/train.csv', import.meta.url).pathname

it.skipIf(!existsSync(banking))(
  '10,003 rows of banking77 (skipped where ../shared/data is absent): each in the results, in order, byte for byte',
  async () => {
    const folder = await jobFolder()
    const text = await readFile(banking, 'utf8')
    const rows = parse(text, { columns: true }) as readonly Record<string, string>[]
    const columns = Object.keys(rows[0] ?? {})
    const label = columns.at(-1) as string
    const values = [...new Set(rows.map((row) => row[label] as string))]
    expect(rows).toHaveLength(10_003)
    expect(values).toHaveLength(77)
    await folder.write(
      'spec.yaml',
      `version: 1
name: banking
input: { source: ${JSON.stringify(banking)} }
model: { id: simulator/banking }
prompt: { user: "{{ text }}" }
execution: { concurrency: { max: 256 } }
output: { schema: { type: object, required: [intent], properties: { intent: { enum: ${JSON.stringify(values)} } } } }
`,
    )
    const run = await folder.run('run', 'spec.yaml', '-o', 'out.csv')
    expect(run.code, run.stderr).toBe(0)
    expect(summaryOf(run.stdout).rows).toMatchObject({ total: 10_003, succeeded: 10_003 })
    const written = parse(await readFile(join(folder.dir, 'out.csv'), 'utf8'), {
      columns: true,
    }) as readonly Record<string, string>[]
    expect(written.map((row) => columns.map((column) => row[column]))).toEqual(
      rows.map((row) => columns.map((column) => row[column])),
    )
    expect(written.every((row) => values.includes(row.intent as string))).toBe(true)
  },
)
