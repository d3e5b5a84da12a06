/** A bucket of an S3-compatible object store, and where in it. */
export interface BucketPlace {
  readonly bucket: string;
  /** Of the names of all objects, without a slash at its end; may be empty. */
  readonly prefix: string;
  /** URL; undefined: what the environment says, else Amazon's of the region. */
  readonly endpoint: string | undefined;
  /** Undefined: what the environment says. */
  readonly region: string | undefined;
  /** Whether those who pull are sent to the store itself. */
  readonly redirect: boolean;
}

/** How a registry is to be served: what `strake registry serve` tells the process that becomes it. */
export interface RegistryOptions {
  readonly host: string;
  readonly port: number;
  /** Folder of its data. */
  readonly data: string;
  /** Where the blobs are; undefined: in `data`. */
  readonly bucket: BucketPlace | undefined;
  /** URL, without a password, of the database that has the metadata; undefined: a file in `data`. */
  readonly metadata: string | undefined;
  /** PEM files. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** File of users, `name:bcrypt` lines; undefined: everybody may do everything. */
  readonly htpasswd: string | undefined;
  /** Whether those without a name may pull. */
  readonly anonymousRead: boolean;
  /** File of rules that say who may do what; undefined: all users may do everything. */
  readonly rights: string | undefined;
  /** File of the key that signs tokens, which nodes share; undefined: one of this node, in `data`. */
  readonly tokenKey: string | undefined;
  /** Base URL under which clients reach it; undefined: the one that each of them uses. */
  readonly publicUrl: string | undefined;
  /** Milliseconds that an upload may rest, and a blob waits for the first manifest that names it. */
  readonly lease: number;
  /** Milliseconds that blobs stay after the last manifest that names them is gone. */
  readonly grace: number;
  /** Milliseconds between collections; 0: only when asked. */
  readonly collectEvery: number;
  /** Whether browsers get the explorer's page. */
  readonly explorer: boolean;
  /** File that gets one JSON object a request, `-` for the standard output. */
  readonly accessLog: string | undefined;
  /** Data root of a host of this machine whose content it shares. */
  readonly share: string | undefined;
  /** Where `/metrics` is served. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** The registry that this one is a mirror of: `docker.io`, `host:port`, `http://host:port` for one without TLS. */
  readonly proxy: string | undefined;
  /** Tags that, once pushed, neither change nor go: `REPOSITORIES:TAGS` patterns. */
  readonly immutable: readonly string[];
  /** Bytes that repositories may have; the first pattern that fits counts. */
  readonly quotas: readonly { readonly repositories: string; readonly bytes: number }[];
  /** URLs that are told of pushes and deletions. */
  readonly webhooks: readonly string[];
  /** File of the secret that signs what they are told. */
  readonly webhookSecret: string | undefined;
}
