import pg from 'pg'

/** For `types` of a client: sums and counts come as numbers, as SQLite gives them. In a test they are small. */
export const NUMBER_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC
      ? Number
      : pg.types.getTypeParser(oid, format as 'text'),
}
