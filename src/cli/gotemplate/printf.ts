import { isList, isMap, kindOf, showValue, type Value } from './value.ts';

const VERB = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([%a-zA-Z])?/g;

/** Formats like Go's fmt.Sprintf, with the verbs that make sense for JSON values: v s q d x X o b c t f e g %. */
export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0;
  const text = format.replace(VERB, (whole, flags: string, width?: string, precision?: string, verb?: string) => {
    const wide = width === '*' ? Number(args[next++]) : Number(width ?? 0);
    const dot = whole.includes('.');
    const precise = precision === '*' ? Number(args[next++]) : dot ? Number(precision ?? 0) : undefined;
    if (verb === undefined) return '%!(NOVERB)';
    if (verb === '%') return '%';
    if (next >= args.length) return `%!${verb}(MISSING)`;
    return pad(formatOne(verb, flags, precise, args[next++]), wide, flags, verb);
  });
  const extra = args.slice(next).map((value) => `${kindOf(value)}=${showValue(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`;
}

function formatOne(verb: string, flags: string, precision: number | undefined, value: Value): string {
  if (isList(value) && verb !== 'v')
    return `[${value.map((item) => formatOne(verb, flags, precision, item)).join(' ')}]`;
  const bad = `%!${verb}(${kindOf(value)}=${showValue(value)})`;
  switch (verb) {
    case 'v':
      return showValue(value);
    case 's':
      if (value === null || value === undefined) return '%!s(<nil>)';
      return typeof value === 'string'
        ? [...value].slice(0, precision).join('')
        : isMap(value)
          ? showValue(value)
          : bad;
    case 'q':
      return typeof value === 'string' ? JSON.stringify(value) : bad;
    case 't':
      return typeof value === 'boolean' ? String(value) : bad;
    case 'd':
    case 'o':
    case 'b':
    case 'x':
    case 'X':
    case 'c':
    case 'U':
      return formatInteger(verb, flags, value) ?? bad;
    case 'f':
    case 'F':
    case 'e':
    case 'g':
      return formatFloat(verb, flags, precision, value) ?? bad;
    default:
      return bad;
  }
}

function formatInteger(verb: string, flags: string, value: Value): string | undefined {
  if (typeof value === 'string' && (verb === 'x' || verb === 'X')) {
    const hex = Buffer.from(value).toString('hex');
    return verb === 'X' ? hex.toUpperCase() : hex;
  }
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) return undefined;
  const number = BigInt(value);
  const sign = flags.includes('+') && number >= 0n ? '+' : flags.includes(' ') && number >= 0n ? ' ' : '';
  switch (verb) {
    case 'c':
      return String.fromCodePoint(Number(number));
    case 'U':
      return `U+${number.toString(16).toUpperCase().padStart(4, '0')}`;
    case 'x':
      return sign + (flags.includes('#') ? '0x' : '') + number.toString(16);
    case 'X':
      return sign + number.toString(16).toUpperCase();
    default:
      return sign + number.toString(verb === 'o' ? 8 : verb === 'b' ? 2 : 10);
  }
}

/** JSON has one kind of number, so a whole one formats as a float too. */
function formatFloat(verb: string, flags: string, precision: number | undefined, value: Value): string | undefined {
  if (typeof value !== 'number') return undefined;
  const sign = flags.includes('+') && value >= 0 ? '+' : '';
  if (verb === 'e') return sign + value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
  if (verb === 'g')
    return sign + (precision === undefined ? String(value) : String(Number(value.toPrecision(precision))));
  return sign + value.toFixed(precision ?? 6);
}

function pad(text: string, width: number, flags: string, verb: string): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (flags.includes('0') && !'sqvtc'.includes(verb)) {
    const sign = /^[+-]/.exec(text)?.[0] ?? '';
    return sign + text.slice(sign.length).padStart(width - sign.length, '0');
  }
  return text.padStart(width);
}
