interface TroubleDetail {
  readonly status: number;
  readonly code?: string | undefined;
  readonly hint?: string | undefined;
  readonly challenge?: string | undefined;
}

/** Why an answer did not come, in words for a person. */
export class Trouble extends Error {
  override readonly name = 'Trouble';
  /** HTTP status; 0 when nobody answered at all. */
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  /** How a registry wants to know who asks. */
  readonly challenge: string | undefined;

  constructor(message: string, detail: TroubleDetail) {
    super(message);
    this.status = detail.status;
    this.code = detail.code ?? '';
    this.hint = detail.hint;
    this.challenge = detail.challenge;
  }

  /** Whether it may be over in a moment, without anybody doing anything on this page. */
  get passes(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503;
  }
}
