/** Parsed `filters` of a list or prune request: every key with the values that were asked for. */
export type Filters = Readonly<Record<string, readonly string[]>>;
