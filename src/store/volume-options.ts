import { Failure } from '../lib/error.ts';
import type { VolumeRecord } from './volumes.ts';

/** What options need of others. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
  size: [],
};

/** Checks the options of a new volume of Docker's driver `local`: `type`, `device` and `o` as mount(8) takes them. */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
  for (const option of Object.keys(options))
    if (!Object.hasOwn(NEEDED, option)) throw invalid(`create ${name}: invalid option: "${option}"`);
  if (options['size'] !== undefined) throw invalid(`create ${name}: quota size requested but no quota support`);
  for (const option of Object.keys(options)) {
    const missing = NEEDED[option]?.find((needed) => options[needed] === undefined);
    if (missing !== undefined) throw invalid(`create ${name}: missing required option: "${missing}"`);
  }
}

/** The file system that a volume is, to be mounted on its folder; undefined for one that is a folder of the data root. */
export function volumeFileSystem({ options, path }: Pick<VolumeRecord, 'options' | 'path'>) {
  const { type = '', device = '', o = '' } = options;
  return type === '' && device === '' ? undefined : { type, device, options: o, target: path };
}

/** There is one driver, `local`. Another is `not-found`. */
export function checkVolumeDriver(name: string, driver: string): void {
  if (driver === '' || driver === 'local') return;
  const why = `error looking up volume plugin ${driver}: plugin "${driver}" not found`;
  throw new Failure('not-found', 'VOLUME_DRIVER', `create ${name}: ${why}`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'VOLUME_OPTION', message);
}
