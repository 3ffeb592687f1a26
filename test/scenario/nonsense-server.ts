import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

const ANSWERS = {
  html: {
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: '<html><body>Welcome to our portal</body></html>',
  },
  empty: { status: 200, headers: {}, body: '' },
  redirect: { status: 302, headers: { location: 'http://127.0.0.1:9/login' }, body: '' },
  broken: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"choices": [{"message":' },
} as const

/** A server that is no provider: whatever it is asked, it gives the same wrong answer. It goes when the test is over. */
export async function nonsenseServer(kind: keyof typeof ANSWERS): Promise<{ readonly url: string }> {
  const { status, headers, body } = ANSWERS[kind]
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status, headers).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
