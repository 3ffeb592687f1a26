import type { App, HttpDeps } from '../http-deps.ts'
import { AUDIT_ENTRY, accountRoutes } from './account-routes.ts'
import { jobControlRoutes } from './job-control-routes.ts'
import { CREATED, jobCreateRoutes } from './job-create-routes.ts'
import { jobRoutes } from './job-routes.ts'
import { CHUNK, JOB, ROW, ROW_IN_FULL } from './job-schema.ts'
import { lookRoutes } from './look-routes.ts'
import { planRoutes } from './plan-routes.ts'
import { SPEC, SPEC_SUMMARY, specRoutes } from './spec-routes.ts'

const GROUPS = [jobCreateRoutes, jobRoutes, jobControlRoutes, lookRoutes, specRoutes, planRoutes, accountRoutes]

/** Adds the routes of the native API that answer at once. */
export function nativeRoutes(app: App, deps: HttpDeps): void {
  for (const schema of [JOB, CREATED, CHUNK, ROW, ROW_IN_FULL, SPEC_SUMMARY, SPEC, AUDIT_ENTRY]) app.addSchema(schema)
  // Routes that may take longer say so themselves.
  app.addHook('onRoute', (route) => {
    route.handlerTimeout ??= deps.config.limits.queryMs
  })
  for (const addRoutes of GROUPS) addRoutes(app, deps)
}
