import { Failure } from '../lib/error.ts';
import { type DiffId, type ImageId, imageIdOf, parseDiffId } from './digest.ts';
import type { Platform } from './platform.ts';
import { faultOfRunConfig } from './run-config-check.ts';

/** HEALTHCHECK; durations in nanoseconds. `Test` is `['NONE']`, `['CMD', ...]` or `['CMD-SHELL', command]`. */
export interface Healthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/**
 * The execution part of an image config, in the words of the OCI image specification and of Docker's extensions
 * (Healthcheck, OnBuild, Shell, ArgsEscaped). https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export interface RunConfig {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[];
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, Record<string, never>> | null;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Healthcheck?: Healthcheck;
  OnBuild?: string[] | null;
  Shell?: string[];
  ArgsEscaped?: boolean;
}

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image config document. Unknown fields survive in the raw bytes, which alone decide the image ID. */
export interface ImageConfig {
  architecture: string;
  os: string;
  variant?: string;
  created?: string;
  author?: string;
  config?: RunConfig;
  rootfs: { type: 'layers'; diff_ids: DiffId[] };
  history?: HistoryEntry[];
  [extra: string]: unknown;
}

/** What an image runs on. */
export const configPlatform = ({ os, architecture, variant }: ImageConfig): Platform => ({
  os,
  architecture,
  ...(variant === undefined ? {} : { variant }),
});

/** A config as its exact bytes plus a view of them. */
export interface StoredConfig {
  readonly id: ImageId;
  readonly bytes: Buffer;
  readonly config: ImageConfig;
}

/** 8 MiB: Docker's own bound of a manifest or config is 4 MiB. */
export const CONFIG_LIMIT = 8 << 20;

/** Writes a new config; the bytes are final, the ID is their digest. */
export function encodeConfig(config: ImageConfig): StoredConfig {
  const bytes = Buffer.from(JSON.stringify(config));
  return { id: imageIdOf(bytes), bytes, config };
}

/** Reads a config from its exact bytes and checks the fields that Strake relies on. */
export function decodeConfig(bytes: Buffer): StoredConfig {
  if (bytes.length > CONFIG_LIMIT)
    throw invalid(`image config of ${bytes.length} bytes is over the limit of ${CONFIG_LIMIT}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid('image config is not JSON', error);
  }
  if (typeof parsed !== 'object' || parsed === null) throw invalid('image config is not a JSON object');
  const config = parsed as Partial<ImageConfig>; // the fields used here are checked below
  const diffIds = config.rootfs?.diff_ids ?? [];
  if (!Array.isArray(diffIds)) throw invalid('image config: rootfs.diff_ids is not a list');
  for (const id of diffIds) parseDiffId(String(id));
  const fault = faultOfRunConfig(config.config);
  if (fault !== undefined) throw invalid(`image config: ${fault}`);
  const history: unknown = config.history ?? [];
  if (!Array.isArray(history) || history.some((entry) => typeof entry !== 'object' || entry === null))
    throw invalid('image config: history is not a list of objects');
  const layers = config.history?.filter((entry) => entry.empty_layer !== true).length;
  if (layers !== undefined && layers !== 0 && layers !== diffIds.length)
    throw invalid(`image config: history names ${layers} layers, rootfs ${diffIds.length}`);
  const complete: ImageConfig = {
    ...config,
    architecture: config.architecture ?? '',
    os: config.os ?? '',
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  return { id: imageIdOf(bytes), bytes, config: complete };
}

function invalid(message: string, cause?: unknown): Failure {
  return new Failure('invalid', 'CONFIG_INVALID', message, cause === undefined ? {} : { cause });
}
