import { Failure } from '../../lib/error.ts';

/** Which rules run, and whether a finding fails the build. */
export interface LintConfig {
  /** Rule names or codes that do not run; `all` for none at all. */
  readonly skip: readonly string[];
  /** Experimental rules that run; `all` for every one. */
  readonly experimental: readonly string[];
  /** Findings are errors. */
  readonly error: boolean;
}

export const DEFAULT_CONFIG: LintConfig = { skip: [], experimental: [], error: false };

/**
 * Parses the value of a `# check=` directive or of BUILDKIT_DOCKERFILE_CHECK: `skip=A,B;experimental=C;error=true`.
 * https://docs.docker.com/reference/dockerfile/#check
 */
export function parseCheckOptions(text: string): LintConfig {
  let config = DEFAULT_CONFIG;
  for (const part of text.split(';').map((piece) => piece.trim())) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const key = part.slice(0, Math.max(equals, 0)).trim();
    const value = part.slice(equals + 1).trim();
    const names = value.split(',').map((name) => name.trim());
    if (key === 'skip' || key === 'experimental') config = { ...config, [key]: names };
    else if (key === 'error' && /^(true|false|0|1)$/i.test(value))
      config = { ...config, error: /^(true|1)$/i.test(value) };
    else throw new Failure('invalid', 'CHECK_OPTION_INVALID', `invalid check option ${JSON.stringify(part)}`);
  }
  return config;
}

/** Parses a config file: a JSON object with `skip` and `experimental` (lists of names) and `error` (a boolean). */
export function parseLintConfig(text: string, file: string): LintConfig {
  const fail = (reason: string) => new Failure('invalid', 'LINT_CONFIG_INVALID', `${file}: ${reason}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw fail('not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw fail('not a JSON object');
  let config = DEFAULT_CONFIG;
  for (const [key, value] of Object.entries(parsed)) {
    if (key === 'skip' || key === 'experimental') {
      if (!Array.isArray(value) || !value.every((name) => typeof name === 'string'))
        throw fail(`${key} must be a list of rule names`);
      config = { ...config, [key]: value };
    } else if (key === 'error') {
      if (typeof value !== 'boolean') throw fail('error must be true or false');
      config = { ...config, error: value };
    } else throw fail(`unknown key ${JSON.stringify(key)}; known are skip, experimental and error`);
  }
  return config;
}

/** Both together: what either skips is skipped. */
export function mergeConfig(one: LintConfig, other: LintConfig): LintConfig {
  return {
    skip: [...one.skip, ...other.skip],
    experimental: [...one.experimental, ...other.experimental],
    error: one.error || other.error,
  };
}
