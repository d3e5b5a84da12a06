/**
 * Flags of the host's Node, for its memory to stay under 250 MB: a small nursery, because what a host makes in bursts is
 * mostly dead soon, and worker threads that collect their garbage after a large task.
 */
export const HOST_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=2', '--expose-gc'];

/** Environment of a host that this command starts: what the launcher took away for its own speed is put back. */
export function hostEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { STRAKE_EXTRA_CA_CERTS: certificates, ...rest } = env;
  return certificates === undefined ? rest : { ...rest, NODE_EXTRA_CA_CERTS: certificates };
}
