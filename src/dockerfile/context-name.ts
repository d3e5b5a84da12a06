import { familiarReference, parseReference, withDefaultTag } from '../oci/reference.ts';

/** Whether a `--build-context` name and an image name mean the same image: `alpine` and `docker.io/library/alpine:latest`. */
export function sameImage(context: string, image: string): boolean {
  return context === image || normalise(context) === normalise(image);
}

function normalise(name: string): string {
  try {
    return familiarReference(withDefaultTag(parseReference(name)));
  } catch {
    return name;
  }
}
