import type { ChatReading, ReadChat } from '../domain/chat.ts'
import { createFaults, isFields } from './body-reader.ts'
import { readChatCompletions } from './chat-completions-body.ts'
import { readResponses } from './responses-body.ts'

/**
 * Reads the body of one of OpenAI's requests into our own words, or says the first thing in it that cannot be done. Pure, and the same whenever it is asked:
 * what was checked before a job began reads so when its row is asked.
 */
export const readChat: ReadChat = (kind, body): ChatReading => {
  if (!isFields(body)) {
    return {
      ok: false,
      fault: { code: 'invalid_type', message: "Invalid type for 'body': expected an object.", param: 'body' },
    }
  }
  const faults = createFaults()
  const parts = (kind === 'chat_completions' ? readChatCompletions : readResponses)(body, faults.report)
  const fault = faults.first()
  return fault === null ? { ok: true, parts } : { ok: false, fault }
}
