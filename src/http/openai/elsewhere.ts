import { SluiceError } from '../../errors.ts'
import type { App } from '../http-deps.ts'

/** What OpenAI has and this server has not, and what there is instead. */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  '/v1/uploads': 'files are not taken in parts: send them whole, POST /v1/files',
  '/v1/uploads/*': 'files are not taken in parts: send them whole, POST /v1/files',
  '/v1/chat/completions': 'requests are answered in batches only: POST /v1/batches',
  '/v1/responses': 'requests are answered in batches only: POST /v1/batches',
  '/v1/embeddings': 'there are no embeddings here: rows can be texts and JSON, and no vectors yet',
}

/** Refuses what clients of OpenAI may well try here, by whatever method, with what they can do instead. */
export function elsewhereRoutes(app: App): void {
  for (const [url, message] of Object.entries(ELSEWHERE)) {
    app.all(url, { config: { scope: 'read', errors: 'openai' }, schema: { hide: true } }, async () => {
      throw new SluiceError('route_not_found', message)
    })
  }
}
