import { Failure } from '../lib/error.ts';
import type { ImageBackend } from './backend/images.ts';
import type { RegistryBackend } from './backend/registry.ts';
import type { Backends } from './backend.ts';
import { buildServices } from './buildkit/control/build-services.ts';
import { hostServices } from './buildkit/control/host-services.ts';
import { Sessions } from './buildkit/session/sessions.ts';
import { RunningBuilds } from './buildkit/solve/running-builds.ts';
import { hostSolver, type Solver } from './buildkit/solve/solver.ts';
import type { Exchange } from './exchange.ts';
import { type BoundRoute, bindRoutes, type Route } from './router.ts';
import { buildRoutes } from './routes/build.ts';
import { serviceRoutes, sessionRoutes } from './routes/buildkit.ts';
import { buildHistoryRoutes } from './routes/builds.ts';
import { cacheMountRoutes } from './routes/cache-mounts.ts';
import { cacheTransferRoutes } from './routes/cache-transfer.ts';
import { exportRoutes, fileRoutes, logRoutes, monitorRoutes } from './routes/container-details.ts';
import { commitRoutes, containerRoutes, pauseRoutes } from './routes/containers.ts';
import { execRoutes } from './routes/exec.ts';
import { imageArchiveRoutes } from './routes/image-archives.ts';
import { imageRoutes, importImage } from './routes/images.ts';
import { insightRoutes } from './routes/insight.ts';
import { networkRoutes, volumeRoutes } from './routes/networks.ts';
import { otherRoutes } from './routes/other.ts';
import { pullImage, registryRoutes } from './routes/registry.ts';
import { storeCheckRoutes } from './routes/store-check.ts';
import { diskUsageRoutes, systemRoutes } from './routes/system.ts';

/** Every route of the door, joined to the parts that this host has. The first match wins. */
export function allRoutes(backends: Backends): BoundRoute[] {
  const { images, registry, build } = backends;
  const sessions = new Sessions();
  const solver = solverOf(backends);
  return [
    ...bindRoutes(backends.system, 'the system', systemRoutes),
    ...bindRoutes(backends.diskUsage, 'system df', diskUsageRoutes),
    ...bindRoutes(backends.storeCheck, 'checking the store', storeCheckRoutes),
    ...bindRoutes({ images, registry }, 'making an image', [createImage]),
    ...bindRoutes(registry, 'working with registries', registryRoutes),
    ...bindRoutes(backends.archives, 'saving and loading images', imageArchiveRoutes),
    ...bindRoutes(backends.cacheTransfer, 'moving the build cache', cacheTransferRoutes),
    ...bindRoutes(images, 'working with images', imageRoutes),
    ...bindRoutes(backends.insight, 'looking into images', insightRoutes),
    ...bindRoutes(
      build && { build, inSession: solver && { sessions, solver, running: new RunningBuilds() } },
      'building',
      buildRoutes,
    ),
    ...bindRoutes(build && sessions, 'building', sessionRoutes),
    ...bindRoutes(build && solver && servicesOf({ ...backends, build, sessions, solver }), 'building', serviceRoutes),
    ...bindRoutes(backends.buildHistory, 'remembering builds', buildHistoryRoutes),
    ...bindRoutes(backends.cacheMounts, 'managing cache mounts', cacheMountRoutes),
    ...bindRoutes(backends.containers, 'running containers', containerRoutes),
    ...bindRoutes(backends.pause, 'pausing a container', pauseRoutes),
    ...bindRoutes(backends.commit, 'making an image of a container', commitRoutes),
    ...bindRoutes(backends.logs, 'reading the log of a container', logRoutes),
    ...bindRoutes(backends.monitor, 'watching the processes of a container', monitorRoutes),
    ...bindRoutes(backends.exports, 'exporting a container', exportRoutes),
    ...bindRoutes(backends.files, 'reading and writing files of a container', fileRoutes),
    ...bindRoutes(backends.exec, 'running a program in a container', execRoutes),
    ...bindRoutes(backends.networks, 'managing networks', networkRoutes),
    ...bindRoutes(backends.volumes, 'managing volumes', volumeRoutes),
    ...bindRoutes({}, '', otherRoutes),
  ];
}

function solverOf({ build, images, archives, registry, cacheTransfer, clientCaches }: Backends): Solver | undefined {
  if (!build || !images || !archives || !registry || !cacheTransfer || !clientCaches) return undefined;
  return hostSolver({ build, images, archives, registry, cacheTransfer, clientCaches });
}

function servicesOf(parts: Parameters<typeof hostServices>[0] & Parameters<typeof buildServices>[0]) {
  return new Map([...hostServices(parts), ...buildServices(parts)]);
}

interface ImageSources {
  readonly images: ImageBackend | undefined;
  readonly registry: RegistryBackend | undefined;
}

/** One path for two things: a pull, and the import of a tar. */
const createImage: Route<ImageSources> = {
  method: 'POST',
  path: '/images/create',
  handle: ({ images, registry }, exchange: Exchange) => {
    if (exchange.query.text('fromImage') !== '') {
      if (!registry) throw new Failure('unsupported', 'NOT_SUPPORTED', 'pulling is not supported by this host');
      return pullImage(registry, exchange);
    }
    if (exchange.query.text('fromSrc') === '')
      throw new Failure('invalid', 'SOURCE_MISSING', 'one of fromImage and fromSrc is needed');
    if (!images) throw new Failure('unsupported', 'NOT_SUPPORTED', 'importing is not supported by this host');
    return importImage(images, exchange);
  },
};
