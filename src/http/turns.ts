/**
 * Lets those who have much to do go on by turns: `most` of them in each turn of the event loop, first come, first served. Whoever asks for something
 * small is answered between, however many long answers are under way: without turns, each of these goes on for as long as its socket takes what it has.
 */
export function createTurns(most: number): () => Promise<void> {
  const waiting: (() => void)[] = []
  let isDue = false
  const next = () => {
    for (const goOn of waiting.splice(0, most)) goOn()
    isDue = waiting.length > 0
    if (isDue) setImmediate(next)
  }
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (isDue) return
      isDue = true
      setImmediate(next)
    })
}
