import { arch } from 'node:os';
import { Failure } from '../lib/error.ts';
import { own } from '../lib/own.ts';

/** Operating system and processor of an image. https://github.com/opencontainers/image-spec/blob/main/image-index.md */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  x64: 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  ia32: '386',
};

/** What a single word may mean; in `os/arch` everything is allowed. */
const SYSTEMS: ReadonlySet<string> = new Set(['linux', 'windows', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'solaris']);
const PROCESSORS: ReadonlySet<string> = new Set(
  '386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: normalise(arch()) };
}

/** Whether programs for it run on this machine. */
export function isHostPlatform({ os, architecture }: Platform): boolean {
  const host = hostPlatform();
  return os === host.os && architecture === host.architecture;
}

/** Parses `os/arch[/variant]` or `arch`. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw new Failure('invalid', 'PLATFORM_INVALID', `"${text}" is an invalid OS/architecture value`, {
      hint: 'write os/arch, for example linux/amd64',
    });
  const [first = '', second, variant] = parts;
  if (second === undefined) {
    const { architecture } = hostPlatform();
    if (SYSTEMS.has(first)) return { os: first, architecture };
    if (PROCESSORS.has(normalise(first))) return { os: 'linux', architecture: normalise(first) };
    throw new Failure('invalid', 'PLATFORM_INVALID', `"${text}": unknown operating system or architecture`, {
      hint: 'write os/arch, for example linux/amd64',
    });
  }
  const architecture = normalise(second);
  const meant = variant === undefined || (architecture === 'arm64' && variant === 'v8') ? {} : { variant };
  return { os: first, architecture, ...meant };
}

/** `os/arch[/variant]`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join('/');
}

function normalise(architecture: string): string {
  return own(ALIASES, architecture) ?? architecture;
}
