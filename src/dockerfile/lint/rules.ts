import type { Rule } from './rule.ts';
import { aptCleanLists, aptGetInsteadOfApt, aptNoInstallRecommends, aptUpdateAlone } from './rules/apt.ts';
import { latestTag } from './rules/base.ts';
import {
  consistentInstructionCasing,
  exposeInvalidFormat,
  exposeProtoCasing,
  fromAsCasing,
  stageNameCasing,
} from './rules/casing.ts';
import {
  noSudo,
  oneDownloader,
  pipefail,
  shellInsteadOfLink,
  uselessCommand,
  useraddNoLogInit,
  wgetQuiet,
  workdirInsteadOfCd,
} from './rules/commands.ts';
import {
  addChecksum,
  addInsteadOfExtract,
  chownAfterCopy,
  copyBeforeInstall,
  copyDestinationRelative,
  copyIgnoredFile,
  copyInsteadOfAdd,
  workdirRelativePath,
} from './rules/copy.ts';
import {
  invalidDefinitionDescription,
  jsonArgsRecommended,
  legacyKeyValueFormat,
  maintainerDeprecated,
  multipleInstructionsDisallowed,
  noEmptyContinuation,
} from './rules/form.ts';
import { mergeRuns, removedInLaterLayer, sortedArguments } from './rules/layers.ts';
import { apkNoCache, distUpgrade, installYes, packageCacheClean, pinVersions, pipNoCache } from './rules/packages.ts';
import {
  fromPlatformFlagConstDisallowed,
  invalidBaseImagePlatform,
  redundantTargetPlatform,
} from './rules/platform.ts';
import { fixedIpAddress, oneProcess, rootUser, writeAfterVolume } from './rules/runtime.ts';
import { secretFileCopied, secretInCommand, secretsUsedInArgOrEnv } from './rules/secrets.ts';
import { copyFromNumber, duplicateStageName, reservedStageName, unusedStage } from './rules/stages.ts';
import { envSelfReference, invalidDefaultArgInFrom, undefinedArgInFrom, undefinedVar } from './rules/variables.ts';

/** BuildKit's checks under their names. https://docs.docker.com/reference/build-checks/ */
export const BUILDKIT_RULES: readonly Rule[] = [
  stageNameCasing,
  fromAsCasing,
  noEmptyContinuation,
  consistentInstructionCasing,
  duplicateStageName,
  reservedStageName,
  jsonArgsRecommended,
  maintainerDeprecated,
  undefinedArgInFrom,
  workdirRelativePath,
  undefinedVar,
  multipleInstructionsDisallowed,
  legacyKeyValueFormat,
  invalidBaseImagePlatform,
  redundantTargetPlatform,
  secretsUsedInArgOrEnv,
  invalidDefaultArgInFrom,
  fromPlatformFlagConstDisallowed,
  copyIgnoredFile,
  invalidDefinitionDescription,
  exposeProtoCasing,
  exposeInvalidFormat,
];

export const RULES: readonly Rule[] = [
  ...BUILDKIT_RULES,
  latestTag,
  envSelfReference,
  aptUpdateAlone,
  aptCleanLists,
  aptGetInsteadOfApt,
  aptNoInstallRecommends,
  installYes,
  pinVersions,
  distUpgrade,
  apkNoCache,
  pipNoCache,
  packageCacheClean,
  noSudo,
  workdirInsteadOfCd,
  pipefail,
  oneDownloader,
  wgetQuiet,
  uselessCommand,
  shellInsteadOfLink,
  useraddNoLogInit,
  copyInsteadOfAdd,
  addChecksum,
  addInsteadOfExtract,
  copyDestinationRelative,
  chownAfterCopy,
  copyBeforeInstall,
  copyFromNumber,
  unusedStage,
  mergeRuns,
  sortedArguments,
  removedInLaterLayer,
  secretFileCopied,
  secretInCommand,
  rootUser,
  oneProcess,
  fixedIpAddress,
  writeAfterVolume,
];
