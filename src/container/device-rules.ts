import type { DeviceRule } from '../host/devices.ts';
import { Failure } from '../lib/error.ts';

/** A rule of `--device-cgroup-rule`: `c 42:* rmw`. */
export function parseDeviceRule(text: string): DeviceRule {
  const [, type = '', major = '', minor = '', access = ''] =
    /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (type === '') throw new Failure('invalid', 'OPTIONS_INVALID', `invalid device cgroup rule format: '${text}'`);
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}
