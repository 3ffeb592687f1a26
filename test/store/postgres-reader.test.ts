import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { postgresReader } from '../../src/store/postgres-reader.ts'

/** A message of PostgreSQL's protocol: its type, its length, its content (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
function message(type: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(content.length + 4)
  return Buffer.concat([Buffer.from(type), length, content])
}

const LET_IN = message('R', Buffer.alloc(4))
const READY = message('Z', Buffer.from('I'))
const SHUTS_DOWN = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'))

it('survives a server that goes down in the breath in which it lets a connection in', async () => {
  const server = createServer((socket) => {
    socket.once('data', () => socket.end(Buffer.concat([LET_IN, READY, SHUTS_DOWN])))
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const reader = postgresReader({ url: `postgres://sluice@127.0.0.1:${port}/postgres`, version: 'test' })
  try {
    await expect(sql`select 1`.execute(reader.db)).rejects.toMatchObject({ name: 'StorageFailure', kind: 'io' })
  } finally {
    await reader.close()
    server.close()
  }
})
