/** How far apart a job's messages stand in the line of turns. */
export const TURN = 8

/**
 * The turn of a job's next message (start-time fair queueing, https://doi.org/10.1145/248156.248171). A fetch takes what has the lowest turn, and
 * a job's messages stand `TURN` apart: so jobs of the same priority are served one message after the other, however many each has waiting.
 *
 * `last` is the highest turn among the job's messages, `front` where the line stands: the lowest turn that waits, or the highest that is held. A
 * job that comes new stands one behind the front: so even an endless stream of new jobs lets an old one have every eighth turn of the line.
 */
export function nextTurn(last: number | null, front: number | null): number {
  return last === null ? (front ?? 0) + 1 : Math.max(last + TURN, front ?? 0)
}
