import type { Container } from './container.ts';
import { updateLinkedHosts } from './files.ts';
import type { ContainerNetworks } from './lifecycle.ts';

/** Tells running containers that link to one that has just started where it is now. */
export function tellLinked(
  { id }: Container,
  others: readonly Container[],
  networks: Pick<ContainerNetworks, 'attachmentOf'>,
): void {
  for (const other of others) {
    if (!other.run || !other.record.hostConfig.Links?.some((link) => link.startsWith(id))) continue;
    const attachment = networks.attachmentOf(other.id);
    if (!attachment) continue;
    other.run = { ...other.run, attachment };
    updateLinkedHosts(other.folder, attachment.linked);
  }
}
