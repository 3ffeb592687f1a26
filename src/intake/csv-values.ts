import Papa from 'papaparse'

/** The values of a well-formed record without quotes. */
export function splitPlainRecord(record: string, delimiter: string): string[] {
  return record.split(delimiter)
}

/**
 * The values of well-formed records, as papaparse reads them: as many rows as records, nothing trimmed, converted or skipped.
 * `newline`: what no record holds outside of quotes.
 */
export function parseQuotedRecords(records: readonly string[], delimiter: string, newline: '\n' | '\r'): string[][] {
  const text = records.join(newline)
  // papaparse takes a byte order mark off whatever it is given, but here it would be part of the data.
  const input = text.charCodeAt(0) === 0xfeff ? `\ufeff${text}` : text
  return Papa.parse<string[]>(input, { delimiter, newline, quoteChar: '"', header: false, skipEmptyLines: false }).data
}
