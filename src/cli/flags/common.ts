import { Failure } from '../../lib/error.ts';
import { custom, text } from './flag.ts';

/** Flags that many commands share, with the same words. */
export const filterFlag = filters('Show only what matches, as key=value', { short: 'f' });

/** A filter that may be given many times: `key=value`. */
export function filters(help: string, options: { short?: string } = {}) {
  return custom<readonly string[]>('filter', help, [], addFilter, options);
}

export const tableFormatFlag = text("Output format: 'table', 'table TEMPLATE', 'json' or a Go template");
export const objectFormatFlag = text("Output format: 'json' or a Go template", { short: 'f' });
export const platformFlag = text('Platform of the image: os[/arch[/variant]]');

function addFilter(value: string, before: readonly string[]): readonly string[] {
  if (!value.includes('='))
    throw new Failure('invalid', 'FILTER_INVALID', 'bad format of filter (expected name=value)');
  return [...before, value];
}
