/** The first 12 hex digits of an ID, without its algorithm. Anything that is not longer stays as it is. */
export function shortenId(id: string): string {
  const hex = id.startsWith('sha256:') ? id.slice('sha256:'.length) : id;
  return hex.length > 12 ? hex.slice(0, 12) : hex;
}
