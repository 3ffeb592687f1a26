export type { Spec } from './domain/spec.ts'
export { type ErrorCode, type Finding, type Place, SluiceError } from './errors.ts'
export { defineSpec, type SpecInput } from './spec/define.ts'
