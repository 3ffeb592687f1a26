import type { Api } from './api.ts'

/** Works on whatever is there, as `sluice serve` does, until no job of any tenant is queued or running. */
export async function workUntilIdle({ service }: Pick<Api, 'service'>): Promise<void> {
  const never = new AbortController().signal
  const work = await service.engine(1).workAny({ concurrency: 8, untilIdle: true, signal: never, abandon: never })
  await work.done
}

/** A spec over a column `text`, and `kind`, of which `bad` makes a row fail. */
export function spec(name: string, more: object = {}): object {
  return {
    version: 1,
    name,
    input: { source: 'rows.csv', key: 'id' },
    model: { id: 'simulator/labels' },
    prompt: { user: 'What is this about? {{ text }}' },
    output: {
      fields: { topic: 'enum[a, b]' },
      checks: [{ that: "kind != 'bad'", message: 'bad rows fail' }],
      on_invalid: { attempts: 1 },
    },
    execution: { chunk_rows: 4 },
    ...more,
  }
}

/** Ten rows, of which the third and the eighth fail. */
export const ROWS = `id,text,kind\n${Array.from({ length: 10 }, (_, at) => `r${at},text ${at},${at === 2 || at === 7 ? 'bad' : 'good'}`).join('\n')}\n`
