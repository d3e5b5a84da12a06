import type { About, HostAbout } from '../explorer-page.ts';
import { compareView } from './compare-view.ts';
import { filesView } from './files-view.ts';
import { findView } from './find-view.ts';
import { imageView } from './image-view.ts';
import { imagesView } from './images-view.ts';
import { manifestView } from './manifest-view.ts';
import { rememberedUser } from './registry.ts';
import { repositoriesView, repositoryView } from './repositories-view.ts';
import { treeView } from './tree-view.ts';
import { Trouble } from './trouble.ts';
import type { View, ViewCall } from './view.ts';
import { wasteView } from './waste-view.ts';

/** What an address names, as the one who serves the page can show it. */
export async function viewOf(about: About, call: ViewCall): Promise<View> {
  return about.kind === 'registry' ? await registryView(call) : await hostView(about, call);
}

async function registryView(call: ViewCall): Promise<View> {
  rememberedUser();
  const [place, repository, reference] = call.address.words;
  if (place === undefined) return await repositoriesView(call);
  if (place !== 'repository' || repository === undefined) throw noPlace();
  return reference === undefined
    ? await repositoryView(repository, call)
    : await manifestView(repository, reference, call);
}

async function hostView(about: HostAbout, call: ViewCall): Promise<View> {
  const [place, image, section] = call.address.words;
  if (place === undefined) return await imagesView(call);
  if (place === 'image' && image !== undefined && section === undefined) return await imageView(image, about, call);
  // Docker hosts have no index of their layers.
  if (!about.isStrake)
    throw new Trouble(`the host at ${about.address} is a Docker host: this needs one of Strake`, { status: 501 });
  if (place === 'tree') return await treeView(call);
  if (place === 'find') return await findView(call);
  if (place !== 'image' || image === undefined) throw noPlace();
  switch (section) {
    case 'files':
      return await filesView(image, call);
    case 'waste':
      return await wasteView(image, call);
    case 'compare':
      return await compareView(image, call);
    default:
      throw noPlace();
  }
}

function noPlace(): Trouble {
  return new Trouble('this page has no such place', { status: 404, hint: 'begin with the first link above' });
}
