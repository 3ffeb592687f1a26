/** Registers a worker, says `here`, and lives until it is killed. Arguments: the directory of the locks, the worker's id. */
import { openPresence } from '../../src/queue/presence.ts'

const [dir = '', id = ''] = process.argv.slice(2)
const presence = await openPresence({ dir })
await presence.register(id)
process.stdout.write('here\n')
process.stdin.resume()
