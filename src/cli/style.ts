import { styleText } from 'node:util'

type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Colours for one stream; without colour every tone gives the text back as it is. */
export type Style = Readonly<Record<Tone, (text: string) => string>>

const TONES: readonly Tone[] = ['bold', 'dim', 'red', 'green', 'yellow', 'cyan']

/** A style that colours, or not. */
export function createStyle(color: boolean): Style {
  const tones = TONES.map((tone) => [
    tone,
    (text: string) => (color ? styleText(tone, text, { validateStream: false }) : text),
  ])
  return Object.freeze(Object.fromEntries(tones) as Record<Tone, (text: string) => string>)
}
