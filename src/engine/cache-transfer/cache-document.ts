import { keyDigest } from '../../build/cache-key.ts';
import type { BuildRecord, KeyRecord } from '../../build/explain/build-record.ts';
import { isConcealed } from '../../build/explain/conceal.ts';
import type { StepCache } from '../../build/needs.ts';
import { Failure, messageOf } from '../../lib/error.ts';
import { type DiffId, isDigest, parseDiffId } from '../../oci/digest.ts';
import type { CacheDocument, TravellingRecord } from '../../wire/cache-transfer.ts';

/** `min`: the steps of which the result's file system was made. `max`: also those of other stages that it copied from. */
export type CacheMode = 'min' | 'max';

/** Bytes of a document. */
export const DOCUMENT_LIMIT = 32 << 20;
const RECORDS_LIMIT = 10_000;
const TEXT_LIMIT = 1 << 20;

/** What the cache has of the steps of builds. */
export function documentOf(
  builds: readonly BuildRecord[],
  cache: Pick<StepCache, 'get'>,
  mode: CacheMode,
): CacheDocument {
  const keys = builds.flatMap(({ steps }) => {
    const all = steps.flatMap((step) => step.keys).filter(({ result }) => result !== undefined);
    return mode === 'max' ? all : chainOf(all);
  });
  const records = keys.flatMap(({ digest, site, components }): TravellingRecord[] => {
    const known = cache.get(digest);
    if (!known) return []; // removed since
    const { result, created, layer } = known;
    return [{ key: digest, site, components, result, created, ...(layer && { layer: layer.diffId }) }];
  });
  return { version: 1, records: [...new Map(records.map((record) => [record.key, record])).values()] };
}

/** The last step, the one that it stands on, and so on down to a base image. */
function chainOf(keys: readonly KeyRecord[]): KeyRecord[] {
  const byResult = new Map(keys.map((key) => [key.result, key]));
  const chain: KeyRecord[] = [];
  for (let key = keys.at(-1); key && !chain.includes(key); ) {
    chain.unshift(key);
    key = byResult.get(key.components.find(({ name }) => name === 'base')?.value);
  }
  return chain;
}

/** The layers of the records, each once, in a fixed order. */
export function layersOf({ records }: CacheDocument): DiffId[] {
  return [...new Set(records.flatMap(({ layer }) => (layer === undefined ? [] : parseDiffId(layer))))];
}

/** Reads a document from its bytes. */
export function parseDocument(bytes: Buffer, where: string): CacheDocument {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid(`${where}: ${messageOf(error)}`);
  }
  return readDocument(parsed, where);
}

/**
 * Reads a document that came from outside. A key must be what its components say, as far as they are shown, and a result
 * must belong to its key: no record can pass for another step's.
 */
export function readDocument(value: unknown, where: string): CacheDocument {
  const { version, records } = objectIn(value, where);
  if (version !== 1)
    throw new Failure('unsupported', 'CACHE_VERSION', `${where}: build cache of version ${version}, expected 1`);
  const list = listIn(records, `records of ${where}`);
  if (list.length > RECORDS_LIMIT) throw invalid(`${where} has more than ${RECORDS_LIMIT} records`);
  return { version, records: list.map((one, index) => readRecord(one, `record ${index + 1} of ${where}`)) };
}

function readRecord(value: unknown, where: string): TravellingRecord {
  const record = objectIn(value, where);
  const key = textIn(record['key'], where);
  if (!isDigest(key)) throw invalid(`${where}: "${key}" is no key`);
  const components = listIn(record['components'], where).map((one) => {
    const { name, value: said } = objectIn(one, where);
    return { name: textIn(name, where), value: textIn(said, where) };
  });
  if (!components.some((component) => isConcealed(component.value)) && keyDigest(components) !== key)
    throw invalid(`${where}: the key is not that of its components`);
  const result = textIn(record['result'], where);
  if (result !== key && !(result.startsWith(`${key} `) && /^[0-9a-f-]{36}$/.test(result.slice(key.length + 1))))
    throw invalid(`${where}: the result does not belong to the key`);
  const created = textIn(record['created'], where);
  if (Number.isNaN(Date.parse(created))) throw invalid(`${where}: "${created}" is no time`);
  const layer = record['layer'];
  const site = textIn(record['site'], where);
  return {
    key,
    site,
    components,
    result,
    created,
    ...(layer === undefined ? {} : { layer: parseDiffId(textIn(layer, where)) }),
  };
}

function objectIn(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} is not an object`);
  return value as Readonly<Record<string, unknown>>; // checked in the line above
}

function listIn(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${where}: a list is missing`);
  return value;
}

function textIn(value: unknown, where: string): string {
  if (typeof value !== 'string' || value.length > TEXT_LIMIT) throw invalid(`${where}: a text is missing or too long`);
  return value;
}

const invalid = (message: string): Failure => new Failure('invalid', 'CACHE_INVALID', `build cache: ${message}`);
