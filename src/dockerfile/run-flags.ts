import { isFailure } from '../lib/error.ts';
import { ArgumentFault } from './arguments.ts';
import type { FlagValues } from './flags.ts';
import type { Device, MountFlag, RunInstruction } from './instruction.ts';
import { resolveMount } from './mount.ts';
import { parseMountFlag, splitFields } from './mount-flag.ts';
import { didYouMean } from './suggest.ts';

const NETWORKS = ['default', 'none', 'host'] as const;
const SECURITIES = ['sandbox', 'insecure'] as const;

/** The flags of RUN. Throws FlagFault at the flag that is wrong. */
export function parseRunFlags(flags: FlagValues): Pick<RunInstruction, 'mounts' | 'network' | 'security' | 'devices'> {
  const networkName = flags.text('network') ?? 'default';
  const network = NETWORKS.find((known) => known === networkName);
  if (!network)
    throw flags.fault(
      'network',
      `invalid network mode ${JSON.stringify(networkName)}${didYouMean(networkName, NETWORKS)}`,
    );
  const securityName = flags.text('security') ?? 'sandbox';
  const security = SECURITIES.find((known) => known === securityName);
  if (!security)
    throw flags.fault(
      'security',
      `security ${JSON.stringify(securityName)} is not valid${didYouMean(securityName, SECURITIES)}`,
    );
  const mounts = flags.list('mount').map((text, index) => at(flags, 'mount', index, () => parseMount(text)));
  const devices = flags.list('device').map((text, index) => at(flags, 'device', index, () => parseDevice(text)));
  return { mounts, network, security, devices };
}

/** A fault that `parse` throws, at the flag. */
function at<T>(flags: FlagValues, name: string, index: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ArgumentFault || isFailure(error, 'invalid')) throw flags.fault(name, error.message, index);
    throw error;
  }
}

/** Without variables everything is known now, and a fault need not wait for the step. */
function parseMount(text: string): MountFlag {
  const mount = parseMountFlag(text);
  if (!text.includes('$')) resolveMount(mount, (word) => word);
  return mount;
}

/** `vendor/class=name[,required]`, a device of the Container Device Interface. */
function parseDevice(text: string): Device {
  let name = '';
  let required = false;
  for (const field of splitFields(text, 'devices')) {
    const match = /^(required|name)(?:=(.*))?$/i.exec(field);
    const [, key = '', value] = match ?? [];
    if (key.toLowerCase() === 'required' && /^(true|false|1|0)?$/i.test(value ?? ''))
      required = value === undefined || /^(true|1)$/i.test(value);
    else if (name !== '') throw new ArgumentFault(`device name already set to ${name}`);
    else name = key.toLowerCase() === 'name' && value !== undefined ? value : field;
  }
  return { name, required };
}
