import { Failure } from '../lib/error.ts';

const KNOWN = new Set(['type', 'o', 'device']);

/**
 * Checks the options of a new volume of Docker's driver `local`. Of its mounts Strake has the bind of a folder
 * (`type=none,o=bind,device=/path`); a file system that would have to be mounted is refused.
 */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
  for (const option of Object.keys(options))
    if (!KNOWN.has(option)) throw invalid(`create ${name}: invalid option: "${option}"`);
  const { type = '', device = '', o = '' } = options;
  if (Object.keys(options).length === 0) return;
  if (type === '' || device === '')
    throw invalid(`create ${name}: missing required option: "${device === '' ? 'device' : 'type'}"`);
  if (!o.split(',').some((flag) => flag === 'bind' || flag === 'rbind'))
    throw new Failure('unsupported', 'VOLUME_TYPE', `create ${name}: a volume of type "${type}" is not supported`, {
      hint: 'mount the file system on the host and use a bind, or --tmpfs for one in memory',
    });
  if (!device.startsWith('/'))
    throw invalid(`create ${name}: the device of a bind must be an absolute path: ${device}`);
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
