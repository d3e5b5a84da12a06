import type { StepImages } from '../../build/needs.ts';
import { encodeConfig } from '../../oci/image-config.ts';
import type { Lease } from '../../store/leases.ts';
import type { Store } from '../../store/open-store.ts';

/** The images of single steps, in the store. The build keeps what it finds and makes: later steps stand on it. */
export function stepImages(store: Store, kept: Lease): StepImages {
  return {
    childByStep(parent, stepKey) {
      const child = store.images.childByStep(parent, stepKey);
      if (child) kept.keep({ images: [child.id] });
      return child;
    },
    put({ config, parent, stepKey }) {
      const { id } = store.images.put({ config: encodeConfig(config), parent, stepKey });
      kept.keep({ images: [id] });
      return id;
    },
  };
}
