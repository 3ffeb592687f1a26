import type { NanoUsd } from './money.ts'

/** Whoever shares the service with others: what it may use at a time, and how much of what is fought for is its. `null`: no end. */
export interface TenantCaps {
  /** Jobs of it that are worked on at a time; more wait in `queued`. */
  readonly jobs: number | null
  /** Chunks of it that workers hold at a time. */
  readonly chunks: number | null
  /** Requests in flight. */
  readonly concurrency: number | null
  /** Input and output tokens a minute. */
  readonly tpm: number | null
  /** What its jobs may cost in a UTC day, and in a UTC month. */
  readonly dayNano: NanoUsd | null
  readonly monthNano: NanoUsd | null
  /** Its share of what tenants fight for, against the others' weights; from 1. */
  readonly weight: number
}

/** A tenant that nothing holds back. */
export const NO_CAPS: TenantCaps = Object.freeze({
  jobs: null,
  chunks: null,
  concurrency: null,
  tpm: null,
  dayNano: null,
  monthNano: null,
  weight: 1,
})

export interface Tenant {
  readonly tenantNo: number
  /** Unique, and what people and tokens call it. */
  readonly name: string
  readonly caps: TenantCaps
}

/** What a tenant may be called: it stands in addresses, tokens and metrics. */
export const TENANT_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/
