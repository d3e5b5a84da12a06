import { CONFIG_LIMIT, decodeConfig } from '../../oci/image-config.ts';
import { isImageConfig } from '../../oci/manifest.ts';
import { type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { DistributionInspect, RegistryAuth } from '../../wire/auth.ts';
import type { TransferNeeds } from './transfer-needs.ts';

/** GET /distribution/{name}/json: what the registry has under a name, without pulling it. */
export async function inspectDistribution(
  needs: TransferNeeds,
  name: Reference,
  options: { readonly auth: RegistryAuth | undefined; readonly signal: AbortSignal },
): Promise<DistributionInspect> {
  const { signal } = options;
  const reference = withDefaultTag(name);
  return await needs.registries.readFrom(reference, options, async (repository) => {
    const document = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', signal);
    const { mediaType, digest, size } = document;
    const Descriptor = { mediaType, digest, size };
    if (document.kind === 'index')
      return { Descriptor, Platforms: document.manifests.flatMap(({ platform }) => (platform ? [platform] : [])) };
    if (!isImageConfig(document.config.mediaType)) return { Descriptor, Platforms: [] };
    const { config } = decodeConfig(await repository.readBlob(document.config, CONFIG_LIMIT, signal));
    const { architecture, os, variant } = config;
    return { Descriptor, Platforms: [{ architecture, os, ...(variant !== undefined && { variant }) }] };
  });
}
