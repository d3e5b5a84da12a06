import { configPlatform } from '../../oci/image-config.ts';
import { type Platform, parsePlatform } from '../../oci/platform.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { Store } from '../../store/open-store.ts';

/** An image, and what it was built for where that is not what its config says: `linux/arm64`. */
export interface ResultImage {
  readonly image: string;
  readonly platform?: string;
}

/** Throws `not-found` IMAGE_NOT_FOUND. */
export function platformImages(
  store: Store,
  results: readonly ResultImage[],
): { readonly image: ImageRecord; readonly platform: Platform }[] {
  return results.map(({ image: ref, platform }) => {
    const image = store.images.resolve(ref);
    return { image, platform: platform === undefined ? configPlatform(image.config) : parsePlatform(platform) };
  });
}
