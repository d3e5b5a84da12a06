import { parseImageId } from '../../oci/digest.ts';
import type { ArchiveContents } from './archive-contents.ts';
import { DOCKER_MANIFEST } from './archive-paths.ts';
import {
  type ArchivedImage,
  listIn,
  malformed,
  objectIn,
  parseDocument,
  readImage,
  readName,
  textIn,
} from './archived-image.ts';

/**
 * The images of a docker archive, as `manifest.json` names them: of Docker from 1.10 on, whose layers are in folders of
 * their own (`<id>/layer.tar`) or, from 25 on, blobs; and of podman, buildah and skopeo.
 */
export function readDockerManifest(contents: ArchiveContents): ArchivedImage[] {
  const path = DOCKER_MANIFEST;
  const document = parseDocument(contents, path);
  if (document === null) throw malformed(path, 'invalid manifest, manifest cannot be null (but can be [])');
  return listIn(document, path).map((one): ArchivedImage => {
    const item = objectIn(one, path);
    const layers = listIn(item['Layers'], path).map((layer) => textIn(layer, path));
    const parent = item['Parent'];
    return {
      config: readImage(contents, textIn(item['Config'], path), layers),
      names: listIn(item['RepoTags'], path).map((tag) => readName(textIn(tag, path))),
      parent: parent === undefined || parent === '' ? undefined : parseImageId(textIn(parent, path)),
    };
  });
}
