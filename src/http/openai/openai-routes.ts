import type { App, HttpDeps } from '../http-deps.ts'
import { batchRoutes } from './batch-routes.ts'
import { elsewhereRoutes } from './elsewhere.ts'
import { fileRoutes } from './file-routes.ts'
import { modelRoutes } from './model-routes.ts'
import { OPENAI_SCHEMAS } from './schema.ts'

/** Adds the routes of OpenAI's files, batches and models, with which its clients work unchanged. */
export async function openAiRoutes(app: App, deps: HttpDeps): Promise<void> {
  for (const schema of OPENAI_SCHEMAS) app.addSchema(schema)
  await fileRoutes(app, deps)
  batchRoutes(app, deps)
  modelRoutes(app, deps)
  elsewhereRoutes(app)
}
