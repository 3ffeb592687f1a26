import type { Shape } from '../ask.ts'
import type { BatchProvider } from './batch.ts'
import type { BatchCall, BatchReply } from './exchange.ts'

/** One endpoint of a batch API. */
export interface BatchRoute {
  readonly provider: BatchProvider
  /** What it does; `create` is what must not happen twice. */
  readonly name: 'create' | 'look' | 'list' | 'cancel' | 'remove' | 'upload' | 'file' | 'content'
  readonly method: 'GET' | 'POST' | 'DELETE' | 'PUT'
  /** Over the path without its query; its first group is the id. */
  readonly pattern: RegExp
  /** The words in which a call is turned away at the door. */
  readonly shape: Pick<Shape, 'refuse' | 'requestIdHeader'>
  /** Throws `Refused` and `Cut`; a `SyntaxError` where the body is not what it should be. */
  answer(call: BatchCall, id: string): Promise<BatchReply> | BatchReply
}
