import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
import { SluiceError } from '../errors.ts'
import type { App } from './http-deps.ts'

/**
 * Reads bodies of JSON. One of no bytes is none: many clients announce JSON whenever they POST, also where there is nothing to say. Refuses what is no
 * JSON, names by which an object would become another than it says, and bodies that are packed on the way.
 */
export function readJsonBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer
    if (bytes.length === 0) return done(null, undefined)
    const packed = request.headers['content-encoding']
    if (packed !== undefined && packed !== 'identity') return done(packedWith(packed))
    if (!isUtf8(bytes)) return done(new SluiceError('request_invalid', 'the body is no JSON: it is not UTF-8'))
    const text = bytes.toString()
    void parse(request as FastifyRequest, text, (error, value) => {
      if (error === null) done(null, value)
      else done(refusalOf(text))
    })
  })
}

/** Without the parser's own words, which quote the body. */
function refusalOf(text: string): SluiceError {
  try {
    JSON.parse(text)
  } catch (error) {
    const at = /at position (\d+)/.exec((error as Error).message)?.[1]
    const where = at === undefined ? '' : `: see character ${Number(at) + 1}`
    return new SluiceError('request_invalid', `the body is no JSON${where}`)
  }
  return new SluiceError(
    'request_invalid',
    'body: it holds the name "__proto__", or a "prototype" in a "constructor"',
    {
      hint: 'Use other names: to many programs these two are no data.',
    },
  )
}

function packedWith(packed: string): SluiceError {
  return new SluiceError('media_type', `a body packed with ${packed} is not taken`, {
    hint: 'Leave out Content-Encoding, and send the JSON as it is.',
  })
}
