/// <reference lib="dom" />
const answer: number = 42;

self.onmessage = ({ data }: MessageEvent<Int32Array>) => Atomics.store(data, 0, answer);
