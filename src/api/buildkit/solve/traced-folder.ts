import { messageOf } from '../../../lib/error.ts';
import type { ClientFolder, FileSink } from '../../backend/build.ts';
import type { OpenVertex, Vertexes } from '../trace/vertexes.ts';

export type FolderUse =
  | { readonly kind: 'dockerfile'; readonly filename: string }
  | { readonly kind: 'context' }
  | { readonly kind: 'named'; readonly name: string };

/** A folder of the client whose transfers are shown, each as a vertex of its own. */
export function tracedFolder(folder: ClientFolder, use: FolderUse, vertexes: Vertexes): ClientFolder {
  return {
    ...folder,
    files: {
      async sync(request, sink, options) {
        const [name, status] = words(use, request.followPaths);
        const vertex = vertexes.make(name);
        await vertex.begin();
        try {
          await vertex.progress(status, 0);
          await folder.files.sync(request, counted(sink, vertex, status), options);
          await vertex.end();
        } catch (error) {
          await vertex.end(options.signal.aborted ? 'cancelled' : { error: messageOf(error) });
          throw error;
        }
      },
    },
  };
}

/** What the transfer is called, and the line of its progress. */
function words(use: FolderUse, followPaths: readonly string[] | undefined): [name: string, status: string] {
  if (use.kind === 'dockerfile')
    return [`[internal] load build definition from ${use.filename}`, 'transferring dockerfile:'];
  const isIgnoreFile = followPaths?.[0] === '.dockerignore';
  if (use.kind === 'named') {
    const what = isIgnoreFile ? 'load .dockerignore' : 'load from client';
    return [`[context ${use.name}] ${what}`, `transferring ${use.name}:`];
  }
  return [`[internal] load ${isIgnoreFile ? '.dockerignore' : 'build context'}`, 'transferring context:'];
}

/** The sink, and the bytes that it is given as progress. */
function counted(sink: FileSink, vertex: OpenVertex, status: string): FileSink {
  let bytes = 0;
  return {
    passes: (raw) => sink.passes(raw),
    listed: () => sink.listed(),
    add(entry, raw) {
      const content = sink.add(entry, raw);
      return (
        content && {
          write(chunk) {
            bytes += chunk.length;
            void vertex.progress(status, bytes);
            return content.write(chunk);
          },
          end: () => content.end(),
        }
      );
    },
  };
}
