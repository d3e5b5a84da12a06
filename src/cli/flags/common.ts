import { list, text } from './flag.ts';

/** Flags that many commands share, with the same words. */
export const filterFlag = list('Show only what matches, as key=value', { short: 'f', type: 'filter' });
export const tableFormatFlag = text("Output format: 'table', 'table TEMPLATE', 'json' or a Go template");
export const objectFormatFlag = text("Output format: 'json' or a Go template", { short: 'f' });
export const platformFlag = text('Platform of the image: os[/arch[/variant]]');
