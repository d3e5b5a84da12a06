import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure } from '../../lib/error.ts';
import type { RegistryGcReport, RegistryPruneRules, RegistryRestored } from '../../wire/registry-admin.ts';
import { check } from '../check.ts';
import { Refusal } from '../codes.ts';
import { collect } from '../collect.ts';
import { prune } from '../prune.ts';
import type { Registry } from '../registry.ts';
import { restore } from '../restore.ts';
import { answerHead, answerJson } from './exchange.ts';
import { readBounded } from './request-body.ts';

const RULES_LIMIT = 64 << 10;

type AdminHandler = (registry: Registry, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What those who administer the registry may do: POST to these paths. */
export const ADMIN: Readonly<Record<string, AdminHandler>> = {
  '/_strake/gc': async (registry, _request, response) => {
    await answerCollected(registry, response, undefined);
  },
  '/_strake/gc/now': async (registry, _request, response) => {
    await answerCollected(registry, response, Number.MAX_SAFE_INTEGER);
  },
  '/_strake/check': (registry, _request, response) => answerCheck(registry, response, false),
  '/_strake/repair': (registry, _request, response) => answerCheck(registry, response, true),
  '/_strake/restore': async (registry, request, response) => {
    const asked = await readObject(request, response);
    const [repository, reference] = [optionalText(asked, 'repository') ?? '', optionalText(asked, 'reference') ?? ''];
    const answer: RegistryRestored = { restored: await restore(registry, repository, reference) };
    answerJson(response, 200, answer);
  },
  '/_strake/prune': async (registry, request, response) => {
    await answerLines(response, prune(registry, await readRules(request, response)));
  },
};

async function answerCollected(
  registry: Registry,
  response: ServerResponse,
  leaseTime: number | undefined,
): Promise<void> {
  const options = { signal: signalOf(response), ...(leaseTime !== undefined && { leaseTime }) };
  const { uploads, blobs, bytes, repositories } = await collect(registry, options);
  const report: RegistryGcReport = { uploads, blobs, bytes, repositories };
  answerJson(response, 200, report);
}

async function answerCheck(registry: Registry, response: ServerResponse, repair: boolean): Promise<void> {
  await answerLines(response, check(registry, { repair, signal: signalOf(response) }));
}

async function answerLines(response: ServerResponse, lines: AsyncIterable<object>): Promise<void> {
  answerHead(response, 200, { 'Content-Type': 'application/x-ndjson' });
  for await (const line of lines)
    if (!response.write(`${JSON.stringify(line)}\n`) && !response.closed)
      await new Promise<void>((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
  response.end();
}

/** Aborted when the client leaves. */
function signalOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort(new Failure('cancelled', 'CLIENT_GONE', 'the client has gone')));
  return controller.signal;
}

async function readRules(request: IncomingMessage, response: ServerResponse): Promise<RegistryPruneRules> {
  const rules = await readObject(request, response);
  return {
    repository: optionalText(rules, 'repository'),
    tags: optionalText(rules, 'tags'),
    keepLast: amount(rules, 'keepLast'),
    olderThan: amount(rules, 'olderThan'),
    untagged: rules['untagged'] === true,
    dryRun: rules['dryRun'] !== false,
  };
}

async function readObject(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBounded(request, response, RULES_LIMIT);
  let value: unknown;
  try {
    value = JSON.parse(bytes?.toString() ?? '');
  } catch {
    throw wrongRules('the request is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongRules('the request is no JSON object');
  return value as Readonly<Record<string, unknown>>; // checked in the line above
}

function optionalText(rules: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = rules[name];
  if (value === undefined || typeof value === 'string') return value;
  throw wrongRules(`"${name}" is not text`);
}

function amount(rules: Readonly<Record<string, unknown>>, name: string): number {
  const value = rules[name] ?? 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrongRules(`"${name}" is no number from 0 up`);
}

function wrongRules(message: string): Refusal {
  return new Refusal('UNSUPPORTED', { message, status: 400 });
}
