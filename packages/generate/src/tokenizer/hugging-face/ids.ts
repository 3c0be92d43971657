/** Token ids that are collected one by one, without a list of boxed numbers. */
export interface Ids {
  push(id: number): void;
  append(ids: Int32Array): void;
  /** Those so far, int32 [time]. */
  take(): Int32Array;
}

export function newIds(): Ids {
  let array = new Int32Array(64);
  let length = 0;
  const reserve = (more: number) => {
    if (length + more <= array.length) return;
    const grown = new Int32Array(Math.max(array.length * 2, length + more));
    grown.set(array);
    array = grown;
  };
  return {
    push(id) {
      reserve(1);
      array[length++] = id;
    },
    append(ids) {
      reserve(ids.length);
      array.set(ids, length);
      length += ids.length;
    },
    take: () => array.slice(0, length),
  };
}
