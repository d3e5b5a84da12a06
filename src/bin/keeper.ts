import { serveKeeper } from '../host/keeper/keeper.ts';

process.umask(0o022);
// Only its own decision ends it: signals meant for a host, or a terminal's, are not for the containers.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {});
await serveKeeper(process.argv[2] ?? '');
