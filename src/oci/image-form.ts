/** How an image is to be written down for registries and archives, where that was said. JSON can carry it. */
export interface ImageForm {
  /** OCI's media types, also where Docker's would do. */
  readonly oci: boolean;
  readonly compression?: LayerCompression;
  readonly annotations: readonly Annotation[];
  readonly attestations: readonly Attestation[];
}

export interface LayerCompression {
  readonly type: 'gzip' | 'zstd' | 'uncompressed';
  /** 0 to 9 of gzip, 0 to 22 of zstd. */
  readonly level?: number;
  /** Also for layers that have a blob in another form already. */
  readonly force: boolean;
}

/** A remark in a manifest or an index, or on the descriptor that points at it. */
export interface Annotation {
  readonly on: 'manifest' | 'manifest-descriptor' | 'index' | 'index-descriptor';
  /** `linux/arm64`; all platforms when absent. */
  readonly platform?: string;
  readonly key: string;
  readonly value: string;
}

/** What is stated about the image for a platform. https://github.com/in-toto/attestation/blob/v0.1.0/spec/README.md */
export interface Attestation {
  /** `linux/arm64` */
  readonly platform: string;
  readonly predicateType: string;
  readonly predicate: unknown;
}
