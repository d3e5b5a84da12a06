import { decodeUrlPart } from './decode-url.ts';

/**
 * Takes the password out of a URL that programs are told with it (`postgres://user:password@host/name`, `?password=...`), so that it can
 * be shown. What is no URL stays as it is.
 */
export function withoutPassword(text: string): { readonly url: string; readonly password: string | undefined } {
  if (!URL.canParse(text)) return { url: text, password: undefined };
  const url = new URL(text);
  const password = url.password === '' ? url.searchParams.get('password') : decodeUrlPart(url.password);
  url.password = '';
  url.searchParams.delete('password');
  return { url: url.href, password: password ?? undefined };
}

/** A URL without user and password, for messages: also of those that only git reads. */
export function withoutLogin(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}
