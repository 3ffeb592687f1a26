import type { LookupAddress } from 'node:dns'
import { BlockList, isIP } from 'node:net'

/** Ranges that lead into our own network, to this machine, or nowhere (IANA's special-purpose registries). */
const V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
]

/** The same, and ranges that carry an address of the other kind within: what those lead to cannot be seen by their own. */
const V6: readonly (readonly [string, number])[] = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
]

/** Whether an address leads out into the open. */
export function isPublic({ address, family }: LookupAddress): boolean {
  return family === 6 ? !V6_LIST.check(address, 'ipv6') : !V4_LIST.check(address, 'ipv4')
}

/**
 * Whether the host of a URL is written so that it leads into a private network, to this machine, or nowhere: an address in any of its forms, which the URL has
 * brought into one, or a name of this machine. Of other names only a look-up tells.
 */
export function isPrivateHost({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  const family = isIP(host)
  if (family !== 0) return !isPublic({ address: host, family })
  return host === 'localhost' || host.endsWith('.localhost')
}

// A list each: one for both would find each IPv4 address among those that IPv6 carries within.
const V4_LIST = listOf(V4, 'ipv4')
const V6_LIST = listOf(V6, 'ipv6')

function listOf(ranges: typeof V4, family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [base, bits] of ranges) list.addSubnet(base, bits, family)
  return list
}
