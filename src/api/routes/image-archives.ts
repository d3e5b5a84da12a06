import { Failure } from '../../lib/error.ts';
import { parseReference } from '../../oci/reference.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { ImageArchiveBackend } from '../backend/images.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { readArchiveSource, readFileOffer } from '../shape/file-offer.ts';

export const imageArchiveRoutes: readonly Route<ImageArchiveBackend>[] = [
  {
    method: 'GET',
    path: '/images/get',
    handle: (archives, exchange) => save(archives, exchange, exchange.query.list('names')),
  },
  {
    method: 'GET',
    path: '/images/{name*}/get',
    handle: (archives, exchange) => save(archives, exchange, [exchange.param('name')]),
  },
  { method: 'GET', path: '/strake/images/{name*}/output', handle: output },
  {
    method: 'POST',
    path: '/images/load',
    handle: async (archives, exchange) => {
      const lines = exchange.lines<ProgressLine>();
      await archives.load({
        source: readArchiveSource(exchange),
        quiet: exchange.query.flag('quiet', true),
        emit: (line) => lines.write(line),
        signal: exchange.signal,
      });
      lines.end();
    },
  },
];

async function save(archives: ImageArchiveBackend, exchange: Exchange, names: readonly string[]): Promise<void> {
  if (names.length === 0) throw new Failure('invalid', 'NAMES_MISSING', 'no image name is given to save');
  const offer = readFileOffer(exchange);
  if (!offer) return exchange.send(await archives.save(names, exchange), 'application/x-tar');
  await archives.saveTo(offer, names, exchange);
  exchange.empty(200);
}

async function output(archives: ImageArchiveBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const form = query.text('form');
  if (form !== 'tree' && form !== 'docker' && form !== 'oci')
    throw new Failure('invalid', 'OUTPUT_FORM', `invalid form "${form}": expected tree, docker or oci`);
  const names = query.list('t').map(parseReference);
  const images = [{ image: exchange.param('name') }];
  if (form === 'tree') return exchange.send(await archives.tree(images, { signal }), 'application/x-tar');
  using archive = await archives.output(images, { type: form, names, signal });
  await exchange.send(archive.open({ signal }), 'application/x-tar');
}
