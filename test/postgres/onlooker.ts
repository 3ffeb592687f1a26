import pg from 'pg'

/** Sums and counts come as numbers, as SQLite gives them: in a test they are small. */
const NUMBER_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC
      ? Number
      : pg.types.getTypeParser(oid, format as 'text'),
}

/** A connection that looks at sluice's tables from beside. */
export function onlooker(url: string): pg.ClientConfig {
  return { connectionString: url, options: '-c search_path=sluice,public', types: NUMBER_TYPES }
}
