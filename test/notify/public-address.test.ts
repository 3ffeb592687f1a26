import { describe, expect, it } from 'vitest'
import { addressesOf, PrivateAddress } from '../../src/notify/public-address.ts'
import { isPrivateHost, isPublic } from '../../src/spec/public-address.ts'

const v4 = (address: string) => ({ address, family: 4 })
const v6 = (address: string) => ({ address, family: 6 })

describe('an address', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '0.0.0.0',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
  ])('%s is private', (address) => {
    expect(isPublic(v4(address))).toBe(false)
  })

  it.each([
    '::',
    '::1',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::a00:1',
    '2002:7f00:1::',
  ])('%s is private', (address) => {
    expect(isPublic(v6(address))).toBe(false)
  })

  it.each(['8.8.8.8', '172.15.255.255', '172.32.0.1', '192.167.1.1', '169.253.0.1', '11.0.0.1', '126.0.0.1'])(
    '%s is public',
    (address) => {
      expect(isPublic(v4(address))).toBe(true)
    },
  )

  it.each(['2606:4700::1111', '2a00:1450:4001::200e'])('%s is public', (address) => {
    expect(isPublic(v6(address))).toBe(true)
  })
})

describe('the host of a URL', () => {
  it.each([
    'http://127.1',
    'http://0x0a000001/',
    'http://012.1.2.3',
    'http://[fe80::1]:8080',
    'http://LOCALHOST',
    'http://a.localhost',
  ])('%s is private, as far as it can be seen', (url) => {
    expect(isPrivateHost(new URL(url))).toBe(true)
  })

  it.each(['https://8.8.8.8', 'https://[2606:4700::1111]/', 'https://localhost.example', 'https://example.org'])(
    '%s is not, as far as it can be seen',
    (url) => {
      expect(isPrivateHost(new URL(url))).toBe(false)
    },
  )
})

describe('the addresses of a host', () => {
  const asked: string[] = []
  const saying = (...found: { address: string; family: number }[]) => {
    asked.length = 0
    return async (name: string) => {
      asked.push(name)
      return found
    }
  }

  it('are refused all where one of them is private', async () => {
    const both = saying(v4('8.8.8.8'), v6('::1'))
    await expect(addressesOf('hooks.example', false, both)).rejects.toThrow(PrivateAddress)
    expect(await addressesOf('hooks.example', true, both)).toHaveLength(2)
    expect(await addressesOf('hooks.example', false, saying(v4('8.8.8.8')))).toEqual([v4('8.8.8.8')])
  })

  it('are looked up without the brackets of a URL', async () => {
    await addressesOf('[2606:4700::1111]', false, saying(v6('2606:4700::1111')))
    expect(asked).toEqual(['2606:4700::1111'])
  })

  it('must be there', async () => {
    await expect(addressesOf('hooks.example', true, saying())).rejects.toThrow('no address')
  })
})
