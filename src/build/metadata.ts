import { posix } from 'node:path';
import type {
  CmdInstruction,
  CommandLine,
  EntrypointInstruction,
  EnvInstruction,
  ExposeInstruction,
  HealthcheckInstruction,
  Instruction,
  LabelInstruction,
  MaintainerInstruction,
  OnbuildInstruction,
  Pair,
  ShellInstruction,
  StopSignalInstruction,
  UserInstruction,
  VolumeInstruction,
  WorkdirInstruction,
} from '../dockerfile/instruction.ts';
import { parsePorts } from '../dockerfile/ports.ts';
import type { Expansion } from '../dockerfile/word.ts';
import { Failure } from '../lib/error.ts';
import { signalNumber } from '../lib/signal-number.ts';
import type { Healthcheck, RunConfig } from '../oci/image-config.ts';
import {
  addLabels,
  addTrigger,
  addVolumes,
  type ConfigChange,
  DEFAULT_SHELL,
  expose,
  setCmd,
  setEntrypoint,
  setEnv,
  setHealthcheck,
  setShell,
  setStopSignal,
  setUser,
  setWorkdir,
} from './config-change.ts';

/** Instructions that change the config and no file. WORKDIR is among them for its config; the solver makes the folder. */
export type MetadataInstruction =
  | CmdInstruction
  | EntrypointInstruction
  | EnvInstruction
  | ExposeInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | MaintainerInstruction
  | OnbuildInstruction
  | ShellInstruction
  | StopSignalInstruction
  | UserInstruction
  | VolumeInstruction
  | WorkdirInstruction;

export interface MetadataContext {
  expand(word: string): Expansion;
  /** CMD comes from the base image, not from this stage. */
  readonly cmdIsInherited: boolean;
}

export function isMetadata(instruction: Instruction): instruction is MetadataInstruction {
  return !['FROM', 'RUN', 'COPY', 'ADD', 'ARG'].includes(instruction.kind);
}

/** The config after the instruction, and its history text. */
export function applyMetadata(
  config: RunConfig,
  instruction: MetadataInstruction,
  context: MetadataContext,
): ConfigChange {
  const text = (word: string) => context.expand(word).text;
  const pairs = (list: readonly Pair[]) => list.map(({ name, value }) => [text(name), text(value)] as const);
  switch (instruction.kind) {
    case 'ENV':
      return setEnv(config, pairs(instruction.pairs));
    case 'LABEL':
      return addLabels(config, pairs(instruction.pairs));
    case 'EXPOSE': {
      const words = instruction.ports.flatMap((word) => context.expand(word).words);
      return expose(config, parsePorts(words), words);
    }
    case 'CMD':
      return setCmd(config, argvOf(instruction.command, config));
    case 'ENTRYPOINT':
      return setEntrypoint(config, argvOf(instruction.command, config), context.cmdIsInherited);
    case 'VOLUME':
      return addVolumes(
        config,
        instruction.paths.map(text).map((path) => nonEmpty(path, 'VOLUME specified can not be an empty string')),
      );
    case 'USER':
      return setUser(config, text(instruction.user));
    case 'WORKDIR':
      return setWorkdir(config, absoluteWorkdir(config, nonEmpty(text(instruction.path), 'WORKDIR requires a path')));
    case 'STOPSIGNAL': {
      const signal = text(instruction.signal);
      signalNumber(signal);
      return setStopSignal(config, signal);
    }
    case 'SHELL':
      return setShell(config, instruction.shell);
    case 'HEALTHCHECK':
      return setHealthcheck(config, healthcheckOf(instruction));
    case 'ONBUILD':
      return addTrigger(config, instruction.trigger);
    case 'MAINTAINER':
      return { config, summary: ` MAINTAINER ${instruction.maintainer}` };
  }
}

/** Relative paths add up on the earlier WORKDIR. */
export function absoluteWorkdir(config: RunConfig, path: string): string {
  const joined = posix.normalize(posix.join('/', posix.isAbsolute(path) ? '' : (config.WorkingDir ?? ''), path));
  return joined.length > 1 ? joined.replace(/\/$/, '') : joined;
}

/** Shell form runs in the stage's SHELL, exec form as it is. */
export function argvOf(command: CommandLine, config: RunConfig): string[] {
  return command.form === 'exec' ? [...command.argv] : [...(config.Shell ?? DEFAULT_SHELL), command.text];
}

function healthcheckOf(instruction: HealthcheckInstruction): Healthcheck {
  const check = instruction.check;
  if (!check) return { Test: ['NONE'] };
  const { command, interval, timeout, startPeriod, startInterval, retries } = check;
  return {
    Test: command.form === 'shell' ? ['CMD-SHELL', command.text] : ['CMD', ...command.argv],
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}

function nonEmpty(value: string, message: string): string {
  if (value.trim() === '') throw new Failure('invalid', 'VALUE_EMPTY', message);
  return value;
}
