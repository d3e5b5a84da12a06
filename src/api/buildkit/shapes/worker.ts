/** What a host says of itself to BuildKit's clients. https://github.com/moby/buildkit/tree/master/api/types */
import { bool, message, nested, nestedList, string, stringMap } from '../../../lib/protobuf.ts';

const platform = message({ architecture: string(1), os: string(2), variant: string(3) });

export const buildKitVersion = message({ package: string(1), version: string(2), revision: string(3) });

export const workerRecord = message({
  id: string(1),
  labels: stringMap(2),
  platforms: nestedList(platform, 3),
  buildKitVersion: nested(buildKitVersion, 5),
});

export const capability = message({ id: string(1), enabled: bool(2) });
