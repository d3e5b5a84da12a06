/** How a registry wants to be asked. https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1 */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: URL; readonly service: string | undefined };

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/;
const HEADER_LIMIT = 8 << 10;

/** The challenges of a `WWW-Authenticate` header that Strake can meet, in their order. Malformed rest is left out. */
export function parseChallenges(header: string | undefined): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = (header ?? '').slice(0, HEADER_LIMIT);
  for (;;) {
    rest = rest.replace(/^[\s,]+/, '');
    const word = TOKEN.exec(rest)?.[0];
    if (word === undefined) break;
    rest = rest.slice(word.length);
    const parameter = /^\s*=\s*/.exec(rest);
    if (!parameter) {
      found.push({ scheme: word.toLowerCase(), parameters: new Map() });
      continue;
    }
    rest = rest.slice(parameter[0].length);
    const value = /^"((?:[^"\\]|\\.)*)"/.exec(rest) ?? /^([^\s,"]*)/.exec(rest);
    if (!value) break;
    rest = rest.slice(value[0].length);
    found.at(-1)?.parameters.set(word.toLowerCase(), (value[1] ?? '').replace(/\\(.)/g, '$1'));
  }
  return found.flatMap(({ scheme, parameters }): Challenge[] => {
    if (scheme === 'basic') return [{ scheme }];
    const realm = parameters.get('realm') ?? '';
    if (scheme !== 'bearer' || !/^https?:\/\//i.test(realm) || !URL.canParse(realm)) return [];
    return [{ scheme, realm: new URL(realm), service: parameters.get('service') }];
  });
}
