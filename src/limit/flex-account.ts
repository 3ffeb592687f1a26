const FLEX = ' (flex)'

/**
 * The name under which the governor keeps what an account asks as flex: with how many in flight, holds and a breaker of their own, for that flex has
 * no room says nothing against the provider. The limits are those of the account.
 */
export function flexAccount(account: string): string {
  return `${account}${FLEX}`
}

/** Whether it is such a name. */
export function isFlexAccount(name: string): boolean {
  return name.endsWith(FLEX)
}

/** The account whose limits are drawn on under a name. */
export function limitedAccount(name: string): string {
  return isFlexAccount(name) ? name.slice(0, -FLEX.length) : name
}
