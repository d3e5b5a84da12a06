import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LayerFacts } from '../store/layers.ts';
import { type ApplyRequest, applyStream } from './apply-stream.ts';
import { type ScanRequest, scanTree } from './scan-tree.ts';

/** For tests: unpacks bytes as a layer into the folder `layer`, as `diff` and `index`. */
export function applyBytes(layer: string, tar: Uint8Array, options: Partial<ApplyRequest> = {}): Promise<LayerFacts> {
  mkdirSync(layer, { recursive: true });
  async function* source(): AsyncGenerator<Uint8Array> {
    yield tar;
  }
  const request = { target: join(layer, 'diff'), index: join(layer, 'index'), form: 'layer', ...options } as const;
  return applyStream(source(), request, { signal: new AbortController().signal });
}

/** For tests: indexes the tree of the layer in the folder `layer`. */
export function scanLayer(layer: string): LayerFacts {
  const request: ScanRequest = { tree: join(layer, 'diff'), index: join(layer, 'index') };
  return scanTree(request, { signal: new AbortController().signal });
}
