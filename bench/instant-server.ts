import { createServer } from 'node:net'

/**
 * A provider that answers at once, always the same: an OpenAI chat completion whose content fits the benchmark's schema. It understands just
 * enough HTTP/1.1 (keep-alive, Content-Length) to stay out of the way of what is measured. Prints its port; counts requests.
 */
const content = JSON.stringify({ topic: 'billing', urgent: true, confidence: 0.9 })
const body = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'bench-model',
  choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
})
const reply = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: bench\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
)

let requests = 0

const server = createServer((socket) => {
  let buffered: Buffer = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (data: Buffer) => {
    buffered = buffered.length === 0 ? data : Buffer.concat([buffered, data])
    while (true) {
      const end = buffered.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = buffered.toString('latin1', 0, end)
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      if (buffered.length < end + 4 + length) return
      buffered = buffered.subarray(end + 4 + length)
      requests += 1
      if (requests === 1) process.send?.({ firstRequestAtMs: Date.now() })
      socket.write(reply)
    }
  })
})

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  process.send?.({ port: address.port })
})
process.on('message', (message) => {
  if (message === 'count') process.send?.({ requests })
  // The next request is a first one again.
  if (message === 'forget') requests = 0
})
