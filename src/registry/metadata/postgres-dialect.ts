/** The few places where PostgreSQL's SQL differs from what `schema.ts` and the store's statements say. */

/** Numbers a statement's `?`: as in SQLite, one without a number has that of the largest before it and one more. */
export function postgresStatement(sql: string): string {
  let largest = 0;
  return sql.replace(/\?(\d*)/g, (_, digits: string) => {
    const number = digits === '' ? largest + 1 : Number(digits);
    largest = Math.max(largest, number);
    return `$${number}`;
  });
}

/** Makes tables that hold the same: numbers up to 2^53, text in the order of its bytes, rows numbered as they come. */
export function postgresSchema(sql: string): string {
  return sql
    .replace(/\) STRICT(, WITHOUT ROWID)?;/g, ');')
    .replace(/\bid INTEGER PRIMARY KEY/g, 'id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY')
    .replace(/\bINTEGER\b/g, 'BIGINT')
    .replace(/\bTEXT\b/g, 'TEXT COLLATE "C"')
    .replace(/\bBLOB\b/g, 'BYTEA');
}
