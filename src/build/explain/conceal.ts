import { digestOf } from '../../oci/digest.ts';

const SECRET_NAME = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS_NAME = /(?:_|^)(?:public|file|version|path)(?:_|$)/i;
const PASSWORD_IN_URL = /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@]{0,200}:[^\s/@]{1,500}@/i;
const CONCEALED = /^\(hidden [0-9a-f]{12}\)$/;

/**
 * The value of a variable as it may be kept to explain a later miss: one that looks like a secret, by its name or by a
 * password in a URL, is replaced by a mark that still tells whether it is the same.
 */
export function conceal(name: string, value: string): string {
  const looksSecret = (SECRET_NAME.test(name) && !HARMLESS_NAME.test(name)) || PASSWORD_IN_URL.test(value);
  if (!looksSecret || value === '') return value;
  return `(hidden ${digestOf(`${name}\0${value}`).slice('sha256:'.length, 'sha256:'.length + 12)})`;
}

/** Whether `conceal` made the value. */
export function isConcealed(value: string): boolean {
  return CONCEALED.test(value);
}
