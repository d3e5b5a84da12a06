import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from '../host/cgroup.ts';
import { blockDevice } from '../host/devices.ts';
import type { BlockIo } from '../host/spec.ts';
import { Failure } from '../lib/error.ts';
import type { HostConfig } from '../wire/container.ts';

/**
 * Leaves out the weights of block devices that this kernel cannot give, with Docker's warnings, and checks the others. What
 * it returns goes over the given HostConfig.
 */
export function supportedWeights(
  host: HostConfig,
  cgroups: Cgroups,
  warnings: string[],
): Pick<HostConfig, 'BlkioWeight' | 'BlkioWeightDevice'> {
  const { BlkioWeight: weight = 0, BlkioWeightDevice: devices } = host;
  const isSupported = (file: string) => {
    const tree = cgroups.controllers.get(cgroups.mode === 'v2' ? 'io' : 'blkio');
    return tree !== undefined && (cgroups.mode === 'v2' || existsSync(join(tree, file)));
  };
  let kept = { BlkioWeight: weight, ...(devices ? { BlkioWeightDevice: devices } : {}) };
  if (weight > 0 && !isSupported('blkio.weight')) {
    warnings.push('Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.');
    kept = { ...kept, BlkioWeight: 0 };
  } else if (weight !== 0 && (weight < 10 || weight > 1000))
    throw new Failure('invalid', 'OPTIONS_INVALID', 'Range of blkio weight is from 10 to 1000');
  if ((devices?.length ?? 0) > 0 && !isSupported('blkio.weight_device')) {
    warnings.push(
      'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
    );
    kept = { ...kept, BlkioWeightDevice: [] };
  }
  return kept;
}

/** The limits of block devices in the runtime's form; undefined when there are none. */
export function blockIoOf(host: HostConfig): BlockIo | undefined {
  const { BlkioWeight: weight = 0 } = host;
  const rates = {
    throttleReadBpsDevice: host.BlkioDeviceReadBps,
    throttleWriteBpsDevice: host.BlkioDeviceWriteBps,
    throttleReadIOPSDevice: host.BlkioDeviceReadIOps,
    throttleWriteIOPSDevice: host.BlkioDeviceWriteIOps,
  };
  const throttles = Object.entries(rates).flatMap(([name, list]) =>
    list && list.length > 0 ? [[name, list.map(({ Path, Rate }) => ({ ...blockDevice(Path), rate: Rate }))]] : [],
  );
  const weights = (host.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({ ...blockDevice(Path), weight: Weight }));
  if (weight === 0 && throttles.length === 0 && weights.length === 0) return undefined;
  return {
    ...(weight > 0 ? { weight } : {}),
    ...(weights.length > 0 ? { weightDevice: weights } : {}),
    ...Object.fromEntries(throttles),
  };
}
