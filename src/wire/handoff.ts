/**
 * A host and a registry of one machine that share files. The registry names the folder `handoff/<id>` of the host's data root in its
 * answer to GET /v2/; the host links a blob into it under a random name, and names that in its request for a mount
 * (`POST /v2/<name>/blobs/uploads/?mount=<digest>`), which any other registry answers as if nothing more had been said.
 */
export const HANDOFF_HEADER = 'strake-handoff';
