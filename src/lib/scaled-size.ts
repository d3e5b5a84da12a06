const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** Bytes in decimal units with so many significant digits, as Docker shows them: `1.88kB`, `133MB`. */
export function decimalSize(bytes: number, precision: number): string {
  return scaled(bytes, 1000, DECIMAL, precision);
}

/** Bytes in binary units: `23.54GiB`. */
export function binarySize(bytes: number, precision: number): string {
  return scaled(bytes, 1024, BINARY, precision);
}

function scaled(size: number, base: number, units: readonly string[], precision: number): string {
  let value = size;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return significant(value, precision) + (units[unit] ?? '');
}

/** Go's `%.3g`: trailing zeros go, and a value that rounds up to too many digits gets an exponent. */
function significant(value: number, precision: number): string {
  const rounded = Number(value.toPrecision(precision));
  if (Math.abs(rounded) < 10 ** precision) return String(rounded);
  return rounded.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
