import { containerCapabilities } from '../host/capabilities.ts';
import type { Seccomp } from '../host/seccomp.ts';
import { parseSeccompProfile } from '../host/seccomp-profile.ts';
import { Failure } from '../lib/error.ts';
import type { HostConfig } from '../wire/container.ts';

export interface SecurityOptions {
  readonly seccomp: 'default' | 'unconfined' | Seccomp;
  readonly noNewPrivileges: boolean;
  /** Nothing in /proc and /sys is hidden or read-only. */
  readonly openSystemPaths: boolean;
}

/** What SecurityOpt says. Labels and profiles of AppArmor and SELinux are accepted and have no effect here. */
export function securityOf(host: Pick<HostConfig, 'SecurityOpt' | 'CapAdd' | 'CapDrop'>): SecurityOptions {
  let seccomp: SecurityOptions['seccomp'] = 'default';
  let noNewPrivileges = false;
  let openSystemPaths = false;
  for (const option of host.SecurityOpt ?? []) {
    const [, name = option, value] = /^([^=:]*)[=:](.*)$/s.exec(option) ?? [];
    if (name === 'no-new-privileges') noNewPrivileges = switchOf(option, value ?? 'true');
    else if (value === undefined) throw invalid(`invalid --security-opt 1: "${option}"`);
    else if (name === 'seccomp') seccomp = seccompOf(value, host);
    else if (name === 'systempaths' && value === 'unconfined') openSystemPaths = true;
    else if (name !== 'label' && name !== 'apparmor') throw invalid(`invalid --security-opt 2: "${option}"`);
  }
  return { seccomp, noNewPrivileges, openSystemPaths };
}

function seccompOf(value: string, host: Pick<HostConfig, 'CapAdd' | 'CapDrop'>): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === 'builtin' || value === 'default') return 'default';
  return parseSeccompProfile(value, containerCapabilities({ add: host.CapAdd ?? [], drop: host.CapDrop ?? [] }));
}

function switchOf(option: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid --security-opt 2: "${option}"`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'OPTIONS_INVALID', message);
}
