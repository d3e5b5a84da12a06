import { createWriteStream, utimesSync } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { freeSpace } from '../../host/file-system-calls.ts';
import { decodeUrlPart } from '../../lib/decode-url.ts';
import { cancelled, Failure, messageOf } from '../../lib/error.ts';
import { httpGet } from '../../lib/http-get.ts';
import { withoutLogin } from '../../lib/url-password.ts';
import { Digester } from '../../oci/digest.ts';
import { diskFailure } from '../../store/disk.ts';

/** The name of a download when neither its URL nor its server tells one. */
export const UNNAMED = '.unnamed';

/**
 * Fetches an ADD's URL into a file of `folder`, whose name it returns: that of the URL, else what the server says. Mode 0600, time by Last-Modified. Redirects are followed (20 at most), to http
 * and https only. A Failure names the URL and the status; with `checksum`, other content is one too.
 */
export async function download(
  url: string,
  folder: string,
  options: { readonly checksum: string | undefined; readonly signal: AbortSignal },
): Promise<{ readonly name: string }> {
  const { checksum, signal } = options;
  const shown = withoutLogin(url);
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    throw new Failure('invalid', 'ADD_URL', `ADD failed: "${shown}" is not an http or https URL`);
  const response = await httpGet(url, { failed: 'ADD failed: failed to GET', code: 'ADD_DOWNLOAD', signal });
  const limit = freeSpace(folder);
  const name = nameOf(url, response.headers.get('content-disposition'));
  const place = `${folder}/${name}`;
  const digester = new Digester();
  try {
    await pipeline(
      Readable.fromWeb(response.body),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          digester.update(chunk);
          if (digester.size > limit) throw new Failure('exhausted', 'DISK_FULL', `no space left for ${shown}`);
          yield chunk;
        }
      },
      createWriteStream(place, { flags: 'wx', mode: 0o600 }),
      { signal },
    );
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    const failure = diskFailure(error, folder);
    if (failure instanceof Failure) throw failure;
    throw new Failure('unavailable', 'ADD_DOWNLOAD', `ADD failed: ${shown} broke off: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const digest = digester.digest();
  if (checksum !== undefined && checksum !== digest)
    throw new Failure('invalid', 'ADD_CHECKSUM', `ADD failed: digest mismatch of ${shown}: ${digest}: ${checksum}`);
  const modified = Date.parse(response.headers.get('last-modified') ?? '');
  if (Number.isFinite(modified)) utimesSync(place, modified / 1000, modified / 1000);
  return { name };
}

/** The last name of the URL's path, else of the Content-Disposition header. */
function nameOf(url: string, disposition: string | null): string {
  const { pathname } = new URL(url);
  const last = pathname.endsWith('/') ? '' : decodeUrlPart(posix.basename(pathname));
  if (isName(last)) return last;
  const told = /filename="?([^";]+)"?/i.exec(disposition ?? '')?.[1] ?? '';
  return isName(told) ? told : UNNAMED;
}

const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
