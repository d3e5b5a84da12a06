/** `table[key]` when the table itself has it: what every object inherits, as `constructor`, is no entry. For keys from outside. */
export function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
