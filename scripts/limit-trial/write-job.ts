import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_OUTPUT, type TrialCase } from './cases.ts'

/** Writes a job whose rows last for so many seconds at the limit: of many lengths, most of them short, no two alike. */
export async function writeJob(
  trial: TrialCase,
  {
    home,
    job,
    url,
    seconds,
  }: { readonly home: string; readonly job: number; readonly url: string; readonly seconds: number },
): Promise<void> {
  const rows = Math.ceil(((trial.rpm ?? 2_400) * seconds) / 60)
  const lines = Array.from({ length: rows }, (_, index) => {
    const words = 5 + Math.floor(120 * Math.exp(1.2 * Math.sin(index * 12.9898) * Math.cos(index * 78.233)))
    return `${index},"Ticket ${job}-${index}: ${'the parcel is late and nobody answers '.repeat(Math.ceil(words / 7))}"`
  })
  await writeFile(join(home, `rows-${job}.csv`), `id,text\n${lines.join('\n')}\n`)
  const path = trial.model === 'google' ? '/v1beta' : '/v1'
  await writeFile(
    join(home, `job-${job}.yaml`),
    `version: 1
name: limits-${job}
input: { source: rows-${job}.csv, key: id }
model:
  id: ${trial.model}/simulated
  base_url: ${url}${path}
  params: { max_output_tokens: ${MAX_OUTPUT} }
  price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[parcel, refund, other]", urgent: boolean } }
execution:
  chunks_in_flight: 10
  cache: "off"
  ${trial.spec}
`,
  )
}
