/** Environment of a host that this command starts: what the launcher took away for its own speed is put back. */
export function hostEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { STRAKE_EXTRA_CA_CERTS: certificates, ...rest } = env;
  return certificates === undefined ? rest : { ...rest, NODE_EXTRA_CA_CERTS: certificates };
}
