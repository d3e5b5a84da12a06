import type { StepImages } from '../../build/needs.ts';
import { encodeConfig } from '../../oci/image-config.ts';
import type { Store } from '../../store/open-store.ts';

/** The images of single steps, in the store. */
export function stepImages(store: Store): StepImages {
  return {
    childByStep: (parent, stepKey) => store.images.childByStep(parent, stepKey),
    put: ({ config, parent, stepKey }) => store.images.put({ config: encodeConfig(config), parent, stepKey }).id,
  };
}
