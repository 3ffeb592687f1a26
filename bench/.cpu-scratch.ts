import { createOpenAI } from '@ai-sdk/openai'
import { createModels } from '/work/main/src/provider/registry.ts'
import { createTransport } from '/work/main/src/provider/transport.ts'
import { asResponse } from '/work/main/src/provider/wire.ts'
import { systemRuntime } from '/work/main/src/runtime.ts'
import { startInstantServer } from '/work/main/bench/contest.ts'
import { Pool } from '/work/main/node_modules/undici/index.js'
const server = await startInstantServer()
const name = process.argv[2] ?? 'gpt-4.1-mini'
const schema = { type: 'object', properties: { topic: { type: 'string', enum: ['billing', 'login', 'bug', 'refund', 'other'] }, urgent: { type: 'boolean' }, confidence: { type: 'number', minimum: 0, maximum: 1 } }, required: ['topic', 'urgent', 'confidence'] } as const
const base = `http://127.0.0.1:${server.port}/v1`
const target = { id: 'openai-chat/'+name, baseUrl: base, apiKeyEnv: null, params: { temperature: 0, max_output_tokens: 100 } }
const text = 'Subject: I was charged twice\nHello, my card shows two payments for the same month. '.repeat(6)
const never = new AbortController().signal
const request = { target, system: 'You label support tickets.', messages: [{ role: 'user' as const, text }], schema }
const opts = () => ({ timeoutMs: 60000, signal: never, attemptId: 'x' })
const canned = { status: 200, headers: {'x-request-id':'b','content-type':'application/json'}, body: new TextEncoder().encode(JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion', created: 1, model: 'b', choices: [{ index: 0, message: { role: 'assistant', content: '{"topic":"billing","urgent":true,"confidence":0.9}', refusal: null }, finish_reason: 'stop' }], usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } })) }
const runtime = systemRuntime()
const t = createTransport()
const real = createModels({ env: () => 'bench', runtime, transport: t }).open(target)
const fake = createModels({ env: () => 'bench', runtime, transport: { exchange: async () => canned, close: async () => {} } }).open(target)
const sdkFake = createOpenAI({ baseURL: base, apiKey: 'bench', fetch: (async (u: string) => asResponse(canned, u)) as never }).chat(name)
const sdkThin = createOpenAI({ baseURL: base, apiKey: 'bench', fetch: (async (u: string, i: any) => asResponse(await t.exchange({url: u, headers: i.headers, body: i.body, signal: undefined as never}), u)) as never }).chat(name)
const body = (await real.preview(request)).body
const pool = new Pool(`http://127.0.0.1:${server.port}`)
const sdkOpts = { prompt: [{ role: 'system' as const, content: 'You label support tickets.' }, { role: 'user' as const, content: [{ type: 'text' as const, text }] }], temperature: 0, maxOutputTokens: 100, responseFormat: { type: 'json' as const, schema } }

function dispatchOnce(req: {headers: Record<string,string>, body: string}, signal?: any) {
  return new Promise<any>((resolve, reject) => {
    let status = 0, headers: any = null, chunks: Buffer[] = []
    pool.dispatch({ path: '/v1/chat/completions', method: 'POST', headers: req.headers, body: req.body }, {
      onRequestStart(controller: any) { if (signal) signal.stop = () => controller.abort(new Error('x')) },
      onResponseStart(_c: any, st: number, h: any) { status = st; headers = h },
      onResponseData(_c: any, chunk: Buffer) { chunks.push(chunk) },
      onResponseEnd() { resolve({ status, headers, body: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks) }) },
      onResponseError(_c: any, e: Error) { reject(e) },
    } as never)
  })
}
const fakeT = { exchange: (r: any) => dispatchOnce({ headers: { ...r.headers, 'accept-encoding': 'identity' }, body: r.body }), close: async () => {} }
const viaDispatch = createModels({ env: () => 'bench', runtime, transport: fakeT as never }).open(target)
const sdkDispatch = createOpenAI({ baseURL: base, apiKey: 'bench', fetch: (async (u: string, i: any) => asResponse(await dispatchOnce({headers: i.headers, body: i.body}), u)) as never }).chat(name)
const c: Record<string, () => Promise<unknown>> = {
  bare: async () => { const r = await pool.request({ path: '/v1/chat/completions', method: 'POST', headers: { 'content-type': 'application/json' }, body }); return r.body.json() },
  transport: () => t.exchange({ url: base + '/chat/completions', headers: { 'content-type': 'application/json' }, body, signal: undefined as never }),
  transportSignal: () => t.exchange({ url: base + '/chat/completions', headers: { 'content-type': 'application/json' }, body, signal: new AbortController().signal }),
  sdkFake: () => sdkFake.doGenerate(sdkOpts),
  completeFake: () => fake.complete(request, opts()),
  sdkThin: () => sdkThin.doGenerate(sdkOpts),
  dispatch: () => dispatchOnce({ headers: { 'content-type': 'application/json' }, body }),
  sdkDispatch: () => sdkDispatch.doGenerate(sdkOpts),
  completeDispatch: () => viaDispatch.complete(request, opts()),
  complete: () => real.complete(request, opts()),
}
async function run(f: () => Promise<unknown>, n: number) { let left = n; const c0 = process.cpuUsage(); await Promise.all(Array.from({length: 64}, async () => { while (left-- > 0) await f() })); const d = process.cpuUsage(c0); return (d.user+d.system)/1000/n }
const res: Record<string, number[]> = {}
for (const k in c) await run(c[k]!, 2000)
for (let r=0;r<12;r++) for (const k in c) (res[k] ??= []).push(await run(c[k]!, 2500))
for (const k in res) console.log(k.padEnd(18), Math.min(...res[k]!).toFixed(4), res[k]!.map(x=>x.toFixed(3)).join(' '))
await t.close(); await pool.close(); server.stop()
