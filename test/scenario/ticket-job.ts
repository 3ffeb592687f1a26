/** A CSV of `rows` tickets with a key. */
export function tickets(rows: number): string {
  const lines = Array.from(
    { length: rows },
    (_, index) => `t${index},"I was charged twice, please refund number ${index}"`,
  )
  return `id,text\n${lines.join('\n')}\n`
}

/** A spec over `tickets.csv` that asks the simulator at `url`. `more` goes in at the top level. */
export function ticketSpec(url: string, more = ''): string {
  return `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model:
  id: openai-compatible/simulated
  base_url: ${url}/v1
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
${more}`
}
