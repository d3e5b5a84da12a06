import { StringDecoder } from 'node:string_decoder';
import { heredocText } from '../dockerfile/heredoc.ts';
import type { RunInstruction } from '../dockerfile/instruction.ts';
import { Failure } from '../lib/error.ts';
import { Scope } from '../lib/scope.ts';
import { type ImageId, shortId } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';
import { cacheKey, variableComponents } from './cache-key.ts';
import { DEFAULT_SHELL } from './config-change.ts';
import { planMounts, type RunMounts } from './mounts/run-mounts.ts';
import { isLoneHeredoc, scriptOf } from './mounts/script-mount.ts';
import type { MadeLayer } from './needs.ts';
import type { BuildSession } from './session.ts';
import { solveVertex } from './solve-vertex.ts';
import { sourceDateComponent } from './source-date.ts';
import type { StageState, StepPlace, StepResult } from './stage-state.ts';
import type { Execution } from './vertex.ts';

/** RUN: a real container on the layers so far; what it changed becomes a layer. */
export async function runStep(place: StepPlace, instruction: RunInstruction): Promise<StepResult> {
  const { session, state, scope, step } = place;
  checkSecurity(session, instruction);
  await using mounts = await planMounts(place, instruction);
  const program = programOf(place, instruction);
  const { argv, user, workdir, network } = program;
  const args = scope.buildArguments();
  const hostname = session.options.buildArgs['BUILDKIT_SANDBOX_HOSTNAME'] ?? undefined;
  const key = cacheKey(instruction.original, {
    base: state.result,
    instruction: 'RUN',
    command: JSON.stringify(argv),
    ...variableComponents('env', scope.environment()),
    ...variableComponents('arg', args),
    user,
    workdir,
    ...mounts.key,
    network,
    hostname,
    security: instruction.security === 'sandbox' ? undefined : instruction.security,
    hosts: program.extraHosts.length === 0 ? undefined : program.extraHosts.join(' '),
    platform: formatPlatform(session.platform),
    ...sourceDateComponent(session.sourceDate),
  });
  session.trace.ran(
    step,
    program,
    Object.keys(mounts.key).map((name) => name.replace(/^mount /, '')),
  );
  const execute = async (heard: BuildSession): Promise<Execution> => {
    await heard.trace.missed(step, key, session.options);
    return { layer: await executeRun(place, { instruction, program, hostname, mounts }, heard) };
  };
  const vertex = await solveVertex(session, step, key, { useCache: !session.options.noCache, execute });
  session.trace.solved(step, key, vertex);
  const prefix = args.length === 0 ? '' : `|${args.length} ${args.join(' ')} `;
  return { createdBy: `${prefix}${argv.join(' ')}`, vertex };
}

interface PreparedRun {
  readonly instruction: RunInstruction;
  readonly program: ReturnType<typeof programOf>;
  readonly hostname: string | undefined;
  readonly mounts: RunMounts;
}

/** What is run, as whom and where: what a build remembers of a RUN. */
function programOf({ session, state, scope }: StepPlace, instruction: RunInstruction) {
  const { networkMode, extraHosts } = session.options;
  return {
    argv: commandOf(instruction, state),
    env: scope.runEnvironment(),
    user: state.config.User ?? '',
    workdir: state.config.WorkingDir ?? '/',
    network: instruction.network === 'default' ? (networkMode ?? 'default') : instruction.network,
    extraHosts,
    privileged: instruction.security === 'insecure',
  };
}

/** Runs a prepared step to its end; `heard` is told how it goes. Throws RUN_FAILED, and leaves the container to who wants to look. */
async function executeRun(
  { session, state, step }: StepPlace,
  { instruction, program, hostname, mounts }: PreparedRun,
  { emit, options, trace }: BuildSession,
): Promise<MadeLayer> {
  const output = outputOf(emit, step);
  await using mounted = new Scope();
  const opened = await mounts.open(mounted);
  const ended = await session.runner.run({
    layers: state.layers.map((layer) => layer.id),
    diffIds: async () => {
      const sealed = await Promise.all(state.layers.map((layer) => layer.sealed));
      return sealed.flatMap((layer) => layer?.diffId ?? []);
    },
    image: state.baseImage,
    ...program,
    ...opened,
    folders: Object.keys(state.config.Volumes ?? {}),
    hostname,
    resources: session.options.resources,
    onStart: (container) => void emit({ type: 'step-container', step, container }),
    onOutput: output.write,
    signal: session.signal,
  });
  await output.end();
  const removed = () => emit({ type: 'step-container-removed', step, container: ended.container });
  if (ended.exitCode !== 0) {
    if (options.forceRemove) {
      await ended.remove();
      await removed();
    } else await ended.keep();
    const kept = options.forceRemove ? undefined : ended.container;
    await trace.ended(step, opened.mounts, { container: kept });
    const look = { before: (await state.image).id, build: kept === undefined ? undefined : trace.record.id };
    throw runFailed(program.argv, ended.exitCode, instruction, look);
  }
  await trace.ended(step, opened.mounts);
  const layer = await ended.commit({ keep: !options.remove, newest: session.sourceDate });
  if (options.remove) await removed();
  if (session.sourceDate !== undefined) await layer.sealed; // times change until then, and the next step can see them
  return layer;
}

/** `before` is the image that the step began with, `build` the build that remembers what it left. */
function runFailed(
  argv: readonly string[],
  exitCode: number,
  instruction: RunInstruction,
  { before, build }: { readonly before: ImageId | undefined; readonly build: string | undefined },
): Failure {
  const message = `The command '${argv.join(' ')}' returned a non-zero code: ${exitCode}`;
  const ways = [
    ...(build === undefined ? [] : [`strake debug ${build}`]),
    ...(before === undefined ? [] : [`before it: strake run --rm -it ${shortId(before)} sh`]),
  ];
  return new Failure('invalid', 'RUN_FAILED', message, {
    exitCode,
    source: instruction.source,
    ...(ways.length === 0 ? {} : { hint: `look inside: ${ways.join('; ')}` }),
  });
}

/** Argument vector. Heredocs go to the shell as they are written; a lone one is the script itself, or a file when it names its interpreter. */
function commandOf(instruction: RunInstruction, state: StageState): string[] {
  const { command, heredocs } = instruction;
  if (command.form === 'exec') return [...command.argv];
  const shell = state.config.Shell ?? DEFAULT_SHELL;
  const [only, second] = heredocs;
  if (!only) return [...shell, command.text];
  const script = scriptOf(instruction);
  if (script) return [...shell, script.path];
  if (!second && isLoneHeredoc(command.text)) return [...shell, heredocText(only)];
  const bodies = heredocs.map((heredoc) => `${heredoc.content}${heredoc.name}`).join('\n');
  return [...shell, `${command.text}\n${bodies}`];
}

/** A privileged step can do everything to this machine: its owner and the one who builds must both say so. */
function checkSecurity({ insecure }: BuildSession, { security, devices, source }: RunInstruction): void {
  if (devices.length > 0)
    throw new Failure('unsupported', 'RUN_DEVICE', 'RUN --device is not supported: this host has no CDI devices', {
      source,
    });
  if (security === 'sandbox' || (insecure.host && insecure.client)) return;
  throw new Failure('denied', 'SECURITY_INSECURE', 'security.insecure is not allowed', {
    source,
    hint: insecure.host
      ? 'build with --allow security.insecure'
      : 'the host must run with --allow-insecure-entitlement security.insecure, and the build with --allow security.insecure',
  });
}

/** Output as text events, characters that are split between chunks joined again. */
function outputOf(emit: BuildSession['emit'], step: number) {
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  const say = async (stream: 'stdout' | 'stderr', text: string) => {
    if (text !== '') await emit({ type: 'step-output', step, stream, text });
  };
  return {
    write: (stream: 'stdout' | 'stderr', chunk: Buffer) => say(stream, decoders[stream].write(chunk)),
    async end() {
      await say('stdout', decoders.stdout.end());
      await say('stderr', decoders.stderr.end());
    },
  };
}
