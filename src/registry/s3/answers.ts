/** What an object store says in XML. Only its few flat answers are read: no entities but the five, no documents types, in linear time. */

/** The contents of all elements `name`, in order, as they are between their marks. */
export function elements(xml: string, name: string): string[] {
  const found: string[] = [];
  const end = `</${name}>`;
  for (let at = 0; ; ) {
    const mark = xml.indexOf(`<${name}`, at);
    const open = mark < 0 ? -1 : xml.indexOf('>', mark);
    if (open < 0) return found;
    at = open + 1;
    if (!/^[\s>]/.test(xml.charAt(mark + name.length + 1))) continue; // a longer name
    const close = xml.indexOf(end, at);
    if (close < 0) return found;
    found.push(xml.slice(at, close));
    at = close + end.length;
  }
}

/** The text of the first element `name`. */
export function textOf(xml: string, name: string): string | undefined {
  const [found] = elements(xml, name);
  return found?.replace(/&(lt|gt|amp|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});/g, (_, entity: string) => {
    const code = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return NAMED[entity] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : '');
  });
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** The document that puts parts together, in order. `etags`: of the parts, from the first. */
export function completion(etags: readonly string[]): string {
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag.replace(/[<&]/g, '')}</ETag></Part>`,
  );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`;
}
