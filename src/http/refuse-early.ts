import type { IncomingMessage, ServerResponse } from 'node:http'
import { SluiceError } from '../errors.ts'
import type { App } from './http-deps.ts'

/** What `refuseEarly` needs of the server: that the framework answers none of this by itself. */
export const ANSWERED_HERE = Object.freeze({ return503OnClosing: false, http: { requireHostHeader: false } })

/**
 * Sees that requests are refused in the shape of all errors which framework and Node would refuse in words of their own, or take: without one host, and those that come on an
 * open connection while the server closes. Whoever waits with his body for leave (`Expect: 100-continue`) gets it once it is known that he may send it.
 */
export function refuseEarly(app: App): void {
  let isClosing = false
  app.addHook('preClose', async () => {
    isClosing = true
  })
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    const hosts = raw.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length
    if (hosts > 1 || (hosts === 0 && raw.httpVersion !== '1.0')) {
      throw new SluiceError('request_invalid', `headers: host is ${hosts === 0 ? 'missing' : 'given more than once'}`)
    }
    const sent = raw.headers['transfer-encoding'] ?? 'chunked'
    if (sent.toLowerCase() !== 'chunked') {
      throw new SluiceError('media_type', `a body in the transfer-encoding ${sent} is not taken`, {
        hint: 'Send it chunked, or with its length.',
      })
    }
    // Whoever looks whether the server is ready hears it from its route.
    if (isClosing && routeOptions.config.scope !== undefined) {
      throw new SluiceError('stopping', 'the server stops, and takes no more requests')
    }
  })
  const take = (request: IncomingMessage, response: ServerResponse) =>
    void app.server.emit('request', request, response)
  app.server.on('checkContinue', take)
  // What else is expected is not known here, and may be ignored (RFC 9110, 10.1.1).
  app.server.on('checkExpectation', take)
  app.addHook('preParsing', async ({ headers }, { raw }, payload) => {
    if (headers.expect?.toLowerCase() === '100-continue') raw.writeContinue()
    return payload
  })
}
