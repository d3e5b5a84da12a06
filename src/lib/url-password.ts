/**
 * Takes the password out of a URL that programs are told with it (`postgres://user:password@host/name`, `?password=...`), so that it can
 * be shown. What is no URL stays as it is.
 */
export function withoutPassword(text: string): { readonly url: string; readonly password: string | undefined } {
  if (!URL.canParse(text)) return { url: text, password: undefined };
  const url = new URL(text);
  const password = url.password === '' ? url.searchParams.get('password') : decoded(url.password);
  url.password = '';
  url.searchParams.delete('password');
  return { url: url.href, password: password ?? undefined };
}

/** A `%` that begins no character stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
