import type { Address } from './address.ts';

/** What a view draws itself from. */
export interface ViewCall {
  readonly address: Address;
  /** Aborted when the reader goes elsewhere. */
  readonly signal: AbortSignal;
}

/** Something to show. */
export interface View {
  readonly title: string;
  readonly content: Element;
  /** Takes another address without being drawn anew; false when it cannot. */
  update?(address: Address): boolean;
}
