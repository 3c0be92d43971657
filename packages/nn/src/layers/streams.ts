import { concat, reshape, slice, type Tensor } from "@finegrain/graph";

/** Whether every stream of a batch has a position of its own, int32 [batch], instead of one for all, int32 []. */
export const isOfStreams = ({ shape }: Tensor): boolean => shape.length === 1;

/**
 * The parts of x along its first axis, one for each of so many streams. Where that was put together of such parts they are taken as they
 * are: so caches that each stream has for itself are neither copied into one nor out of it.
 */
export function ofStreams(x: Tensor, streams: number): readonly Tensor[] {
  const rows = x.shape[0]! / streams;
  const isJoined = x.op === "concat" && (x.attrs as { readonly axis: number }).axis === 0; // the attributes of concat
  if (isJoined && x.inputs.length === streams && x.inputs.every(({ shape }) => shape[0] === rows)) return x.inputs;
  if (streams === 1) return [x];
  const from = (row: number) => x.shape.map((_, axis) => (axis === 0 ? row : 0));
  return Array.from({ length: streams }, (_, i) =>
    slice(x, { starts: from(i * rows), ends: x.shape.with(0, (i + 1) * rows) }),
  );
}

/** What {@link ofStreams} takes apart. */
export const joinStreams = (parts: readonly Tensor[]): Tensor =>
  parts.length === 1 ? parts[0]! : concat(...(parts as [Tensor, ...Tensor[]]), { axis: 0 });

/**
 * Do something with the tensors of each stream by itself, where every stream has a position of its own; else with all of them at once.
 *
 *   tensors   [batch · rows, ...] each, and so what is returned
 *   position  int32 [batch], or [] for all
 */
export function eachStream<const K extends string, const R extends string>(
  tensors: Readonly<Record<K, Tensor>>,
  position: Tensor,
  f: (own: Readonly<Record<K, Tensor>>, position: Tensor) => Readonly<Record<R, Tensor>>,
): Readonly<Record<R, Tensor>> {
  if (!isOfStreams(position)) return f(tensors, position);
  const streams = position.shape[0]!;
  const names = Object.keys(tensors) as K[];
  const parts = names.map((name) => ofStreams(tensors[name], streams));
  const results = ofStreams(position, streams).map((own, i) =>
    f(Object.fromEntries(names.map((name, k) => [name, parts[k]![i]!])) as Record<K, Tensor>, reshape(own, [])),
  );
  const made = Object.keys(results[0]!) as R[];
  return Object.fromEntries(made.map((name) => [name, joinStreams(results.map((r) => r[name]))])) as Record<R, Tensor>;
}
