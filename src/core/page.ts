/** One page of a list. `next` is opaque to clients and absent on the last page. */
export interface Page<Item> {
  items: Item[];
  next?: string;
}

export interface PageRequest {
  /** At least 1; the wire has checked its own maximum. */
  limit: number;
  /** What an earlier page gave as `next`. */
  next?: string;
}
