import { setTimeout as sleep } from 'node:timers/promises'
import pLimit from 'p-limit'

/** What a contestant is given: where to ask, and the limits of the account, which sluice must find out. */
export interface LimitTask {
  readonly url: string
  readonly prompts: readonly string[]
  readonly rpm: number
  readonly tpm: number
  readonly maxOutput: number
  readonly signal: AbortSignal
}

/** Asks once; the status, and the wait in ms that a refusal names. */
async function ask({ url, maxOutput, signal }: LimitTask, prompt: string) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    signal,
    headers: { 'content-type': 'application/json', authorization: 'Bearer test' },
    body: JSON.stringify({
      model: 'simulated',
      messages: [{ role: 'user', content: prompt }],
      max_completion_tokens: maxOutput,
    }),
  })
  await response.text()
  return { status: response.status, retryAfterMs: Number(response.headers.get('retry-after') ?? 1) * 1_000 }
}

/** p-limit around a call that repeats refusals as the SDKs do: after Retry-After, else after a doubling wait, twice; then the row has failed. */
export async function withPLimit(task: LimitTask, concurrency: number): Promise<void> {
  const limit = pLimit(concurrency)
  const row = async (prompt: string) => {
    for (let attempt = 0; attempt <= 2; attempt += 1) {
      const { status, retryAfterMs } = await ask(task, prompt)
      if (status === 200) return
      await sleep(retryAfterMs > 0 ? retryAfterMs : 500 * 2 ** attempt, undefined, { signal: task.signal })
    }
  }
  await Promise.all(task.prompts.map((prompt) => limit(() => row(prompt))))
}

/**
 * Two buckets that hold a minute's worth and are refilled as time passes, a fixed number in flight, and a rest of 15 seconds after a refusal: the loop
 * of OpenAI's cookbook (api_request_parallel_processor.py), with tokens taken as a fourth of the characters and `max_tokens`.
 */
export async function withTokenBuckets(task: LimitTask, concurrency: number): Promise<void> {
  let [requests, tokens, atMs, restUntilMs, inFlight] = [task.rpm, task.tpm, performance.now(), 0, 0]
  const queue = task.prompts.map((prompt) => ({ prompt, tries: 5 }))
  const send = async (row: { readonly prompt: string; tries: number }) => {
    inFlight += 1
    const { status } = await ask(task, row.prompt)
    inFlight -= 1
    if (status === 200) return
    restUntilMs = performance.now() + 15_000
    row.tries -= 1
    if (row.tries > 0) queue.push(row)
  }
  while (queue.length > 0 || inFlight > 0) {
    const now = performance.now()
    const share = (now - atMs) / 60_000
    requests = Math.min(task.rpm, requests + task.rpm * share)
    tokens = Math.min(task.tpm, tokens + task.tpm * share)
    atMs = now
    const [row] = queue
    const needed = row === undefined ? 0 : Math.ceil(row.prompt.length / 4) + task.maxOutput
    if (row !== undefined && now > restUntilMs && inFlight < concurrency && requests >= 1 && tokens >= needed) {
      queue.shift()
      requests -= 1
      tokens -= needed
      send(row).catch(() => undefined)
    }
    await sleep(1, undefined, { signal: task.signal })
  }
}
