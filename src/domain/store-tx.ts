declare const storeTx: unique symbol

/**
 * A transaction of the store, passed through rooms that may not look inside. What is done under it commits together or not at all.
 * Only the store's and queue's adapters know what it is.
 */
export interface StoreTx {
  readonly [storeTx]: true
}
